"""What a host lends to trusted nodes: HTTP behind the egress guard, and the object store."""

from typing import Any

import aiohttp

from penstock.sandbox_host.egress import EgressPolicy, GuardedConnector
from penstock.subjects.blobs import BlobStore

_CONNECTIONS_MAX = 200


class Services:
    """`call.services` of a trusted node. One session per host; cookies are never kept."""

    def __init__(self, *, policy: EgressPolicy, blobs: BlobStore | None) -> None:
        self.blobs = blobs
        self._policy = policy
        self._session: aiohttp.ClientSession | None = None

    @property
    def http(self) -> aiohttp.ClientSession:
        """The guarded session, made at first use."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=GuardedConnector(self._policy, limit=_CONNECTIONS_MAX),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=True,
            )
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def __aenter__(self) -> "Services":
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()
