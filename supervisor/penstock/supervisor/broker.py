"""The broker of one installation: one nats-server, or a cluster of them, seen as one thing.

In a cluster every stream has a copy on up to three servers, so one server may be lost, restarted
or frozen while the others go on. A server counts as ready again only when its copies are complete:
whoever restarts them one by one and waits for that never takes the second copy away while the
first is behind.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.subjects.streams import Budget, StreamSpec, declarations
from penstock.supervisor import nats
from penstock.supervisor.data_dir import DataDir
from penstock.supervisor.errand import run_errand
from penstock.supervisor.nats import NatsServer
from penstock.supervisor.readiness import pauses_s, wait_for

if TYPE_CHECKING:
    from penstock.subjects.bus_nats import NatsBus

REPLICAS_MAX = 3
_CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a stream stands: who leads it (empty: nobody now), and whose copies are complete."""

    leader: str
    complete: frozenset[str]


class Broker:
    """The servers of one start of the stack, and what all of them together must hold."""

    def __init__(self, servers: tuple[NatsServer, ...], region: str) -> None:
        self.servers = servers
        self._region = region
        self._declaring = asyncio.Lock()
        self._is_declared = False

    @property
    def is_cluster(self) -> bool:
        return len(self.servers) > 1

    def program_of(self, server: NatsServer) -> str:
        """The name under which a server runs in the tree."""
        return server.name if self.is_cluster else "nats"

    @property
    def url(self) -> str:
        """The addresses of all servers, as `NatsBus.connect` takes them."""
        return ",".join(server.url for server in self.servers)

    def env(self, role: str) -> dict[str, str]:
        """The variables by which a program of this role finds the broker."""
        return self.servers[0].env(role) | {"PENSTOCK_NATS_URL": self.url}

    @asynccontextmanager
    async def as_admin(self) -> "AsyncIterator[NatsBus]":
        """A connection that may declare streams; `BusError` when there is none within 5 s."""
        # Whoever runs one broker never comes here, and is spared the client: 6 MB.
        from penstock.subjects.bus_nats import NatsBus

        bus = await NatsBus.connect(
            self.url,
            user="admin",
            password=self.servers[0].passwords["admin"],
            name="penstock.up",
            wait_s=_CONNECT_S,
        )
        try:
            yield bus
        finally:
            await bus.close()

    async def wait_until_ready(self, server: NatsServer, told: Callable[[str], None]) -> None:
        """Return when this server serves, every stream is there, and its copies are complete."""
        await asyncio.gather(
            server.wait_until_serving(),
            wait_for(self._declare, pauses=pauses_s(0.05, 1.0), on_outage=told),
        )
        if self.is_cluster:

            async def is_complete() -> bool:
                async with self.as_admin() as bus:
                    standings = await self.standings(bus)
                return all(server.name in one.complete for one in standings.values())

            await wait_for(is_complete, pauses=pauses_s(0.1, 0.5), on_outage=told)

    async def _declare(self) -> bool:
        async with self._declaring:
            # A cluster remembers its streams, those in memory too, as long as `up` runs; a server
            # alone has lost the latter at each of its starts.
            if not (self.is_cluster and self._is_declared):
                budget = self._budget()
                words = (self._region, budget.file_bytes, budget.memory_bytes, budget.replicas)
                await run_errand(
                    (sys.executable, "-m", "penstock.supervisor.declaring", *map(str, words)),
                    env=self.env("admin"),
                )
                self._is_declared = True
        return True

    def _budget(self) -> Budget:
        one = self.servers[0]
        replicas = min(len(self.servers), REPLICAS_MAX)
        return Budget(file_bytes=one.file_bytes, memory_bytes=one.memory_bytes, replicas=replicas)

    def declarations(self) -> list[tuple[StreamSpec, int]]:
        """Every stream that these servers must hold, with its limit in bytes."""
        return list(declarations(self._region, self._budget()))

    async def standings(self, bus: "NatsBus") -> dict[str, Standing]:
        """How every stream stands; `BusError` when nobody can say now."""
        names = [spec.name for spec, _ in self.declarations()]
        about = await asyncio.gather(*(bus.api(f"STREAM.INFO.{name}") for name in names))
        return {name: _standing(one) for name, one in zip(names, about, strict=True)}


def _standing(about: dict[str, Any]) -> Standing:
    cluster = about.get("cluster", {})
    leader = str(cluster.get("leader", ""))
    complete = {
        str(one["name"])
        for one in cluster.get("replicas", [])
        if one.get("current") and not one.get("offline")
    }
    return Standing(leader, frozenset({*complete, leader} - {""}))


def configure(data_dir: DataDir, nodes: int, region: str) -> Broker:
    """Write the configuration of all servers, and say how to run them."""
    if nodes == 1:
        return Broker((nats.configure(data_dir),), region)
    return Broker(nats.configure_cluster(data_dir, nodes), region)
