"""The healer: hears the canaries, watches the servers of a cluster, and does what `healing` says.

It runs in `penstock up`, which alone holds the admin's rights, and only for a cluster: a single
server that is restarted for being slow would be slower still. While a server is being restarted, by
a cure or by a rolling restart, it goes on looking and cures those that are away all the same; the
others it lets be (`alone`). A full disk has it pause, which no cure of the healer's can help, and
so does the restart of all servers that follows (`disk_watch`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from penstock.subjects import logs
from penstock.subjects.bus import Message
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.codec import Codec, CodecError
from penstock.subjects.disks import is_full
from penstock.subjects.errors import BusError, PenstockError
from penstock.subjects.messages import Heartbeat
from penstock.supervisor.broker import Broker, Standing
from penstock.supervisor.healing import Cure, Healing, Seen
from penstock.supervisor.nats import NatsServer

PERIOD_S = 1.0
RESTART_S = 60.0

_heartbeats: Codec[Heartbeat] = Codec(Heartbeat)


class Healer:
    """See the module's text. `restart` restarts a server by its name, `is_ready` tells whether it
    was ready (one that recovers its store for long is not frozen), `told` takes log lines."""

    def __init__(
        self,
        broker: Broker,
        *,
        restart: Callable[[str], Awaitable[None]],
        is_ready: Callable[[str], bool],
        told: Callable[[str], None],
    ) -> None:
        self._broker = broker
        self._alone = asyncio.Lock()
        self._cures: set[asyncio.Task[None]] = set()
        self._pauses = 0
        self._restart = restart
        self._is_ready = is_ready
        self._told = told
        self._healing = Healing()
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Run for ever."""
        async with self._broker.as_admin() as bus, asyncio.TaskGroup() as cures:
            bus.subscribe("hb.actors.*", self._on_heartbeat)
            while True:
                await asyncio.sleep(PERIOD_S)
                cure = None if self._is_paused else await self._look(bus)
                if cure is not None:
                    # Not awaited: it may be in vain until another server is cured.
                    curing = cures.create_task(self._apply(bus, cure))
                    self._cures.add(curing)
                    curing.add_done_callback(self._cures.discard)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """For whoever restarts a server and needs the others to stay: cures that are under way are
        waited for, and meanwhile none begins but of servers that are away."""
        async with self._alone:
            while self._cures:
                await asyncio.wait(self._cures)
            yield

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Begin no cure meanwhile. One that is under way is not waited for."""
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1

    @property
    def _is_paused(self) -> bool:
        return self._pauses > 0 or any(is_full(server.store) for server in self._broker.servers)

    def _on_heartbeat(self, message: Message) -> None:
        try:
            beat = _heartbeats.decode(message.payload)
        except CodecError:
            return
        self._healing.heard(beat.wedged, self._loop.time())

    @property
    def _is_busy(self) -> bool:
        return bool(self._cures) or self._alone.locked()

    async def _look(self, bus: NatsBus) -> Cure | None:
        servers = self._broker.servers
        seen = await asyncio.gather(*map(self._see, servers))
        names = [server.name for server in servers]
        self._healing.seen(dict(zip(names, seen, strict=True)), self._loop.time())
        standings: dict[str, Standing] = {}
        if self._healing.is_alarmed:
            try:
                standings = await self._broker.standings(bus)
            except BusError as error:
                self._told(logs.line("up", "how the streams stand is not known", why=error.message))
        if self._is_paused:
            return None
        return self._healing.cure(standings, self._loop.time(), is_busy=self._is_busy)

    async def _see(self, server: NatsServer) -> Seen:
        try:
            greeting = await server.greeting()
        except (OSError, TimeoutError):
            greeting = None
        if greeting is None:
            return "silent" if self._is_ready(server.name) else "serving"
        return "serving" if greeting.has_streams else "bare"

    async def _apply(self, bus: NatsBus, cure: Cure) -> None:
        about = {"kind": cure.kind, "servers": cure.servers, "why": cure.why}
        self._told(logs.line("up", "cure", level="warning", **about))
        try:
            if cure.kind == "step down":
                await bus.api(f"STREAM.LEADER.STEPDOWN.{cure.stream}")
            else:
                async with asyncio.timeout(RESTART_S):
                    await asyncio.gather(*map(self._restart, cure.servers))
        except (PenstockError, TimeoutError) as error:
            why = str(error) or "not ready in time"
            self._told(logs.line("up", "cure failed", level="error", **about, error=why))
