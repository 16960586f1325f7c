"""HTTP behind the egress guard: a session whose every connection passes the policy.

Apart from `egress`, because aiohttp is 10 MB that a host without HTTP nodes need not hold.
"""

import socket
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from penstock.sandbox_host.egress import EgressDeniedError, EgressPolicy

_CONNECTIONS_MAX = 200


def guarded_session(policy: EgressPolicy) -> aiohttp.ClientSession:
    """A session that keeps no cookies and heeds no environment."""
    return aiohttp.ClientSession(
        connector=GuardedConnector(policy, limit=_CONNECTIONS_MAX),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=True,
    )


class GuardedResolver(AbstractResolver):
    """Resolves names and hands on only addresses that the policy allows."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        allowed = [each for each in found if self._policy.allows(each["host"])]
        if not allowed:
            raise EgressDeniedError(host, found[0]["host"] if found else "unknown")
        return allowed

    async def close(self) -> None:
        await self._resolver.close()


class GuardedConnector(aiohttp.TCPConnector):
    """A connector whose every connection, literal addresses included, passes the policy."""

    def __init__(self, policy: EgressPolicy, **options: Any) -> None:
        super().__init__(resolver=GuardedResolver(policy), use_dns_cache=False, **options)
        self._policy = policy

    async def _resolve_host(self, host: str, port: int, traces: Any = None) -> list[ResolveResult]:
        # aiohttp asks no resolver about literal addresses, so they are looked at here. Forms that
        # only the C library takes for an address ("127.1", "0x7f.1") go through the resolver.
        found = await super()._resolve_host(host, port, traces)
        for each in found:
            if not self._policy.allows(each["host"]):
                raise EgressDeniedError(host, each["host"])
        return found
