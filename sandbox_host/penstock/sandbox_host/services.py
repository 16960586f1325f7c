"""What a host lends to trusted nodes: HTTP behind the egress guard, and the object store."""

from typing import TYPE_CHECKING, Any

from penstock.sandbox_host.egress import EgressPolicy
from penstock.subjects.blobs import BlobStore

if TYPE_CHECKING:
    from aiohttp import ClientSession


class Services:
    """`call.services` of a trusted node. One session per host; cookies are never kept."""

    def __init__(self, *, policy: EgressPolicy, blobs: BlobStore | None) -> None:
        self.blobs = blobs
        self._policy = policy
        self._session: ClientSession | None = None

    @property
    def http(self) -> "ClientSession":
        """The guarded session, made at first use."""
        if self._session is None or self._session.closed:
            from penstock.sandbox_host.egress_http import guarded_session

            self._session = guarded_session(self._policy)
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def __aenter__(self) -> "Services":
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()
