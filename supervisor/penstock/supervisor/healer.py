"""The healer: hears the canaries, watches the servers of a cluster, and does what `healing` says.

It runs in `penstock up`, which alone holds the admin's rights, and only for a cluster: a single
server that is restarted for being slow would be slower still. A rolling restart has it pause, so
that a server that is away on purpose passes for no fault.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

from penstock.subjects.bus import Message
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.codec import Codec, CodecError
from penstock.subjects.errors import BusError, PenstockError
from penstock.subjects.messages import Heartbeat
from penstock.supervisor.broker import Broker, Standing
from penstock.supervisor.healing import Cure, Healing
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
        self.busy = asyncio.Lock()
        """Held by whoever restarts servers."""
        self._broker = broker
        self._restart = restart
        self._is_ready = is_ready
        self._told = told
        self._healing = Healing()
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Run for ever."""
        async with self._broker.as_admin() as bus:
            bus.subscribe("hb.actors.*", self._on_heartbeat)
            while True:
                await asyncio.sleep(PERIOD_S)
                async with self.busy:
                    await self._look(bus)

    def _on_heartbeat(self, message: Message) -> None:
        try:
            beat = _heartbeats.decode(message.payload)
        except CodecError:
            return
        self._healing.heard(beat.wedged, self._loop.time())

    async def _look(self, bus: NatsBus) -> None:
        servers = self._broker.servers
        answers = await asyncio.gather(*(_serves(server) for server in servers))
        serving = {
            server.name: serves or not self._is_ready(server.name)
            for server, serves in zip(servers, answers, strict=True)
        }
        self._healing.seen(serving, self._loop.time())
        standings: dict[str, Standing] = {}
        if self._healing.is_alarmed:
            try:
                standings = await self._broker.standings(bus)
            except BusError as error:
                self._told(f"how the streams stand is not known: {error.message}")
        cure = self._healing.cure(standings, self._loop.time())
        if cure is not None:
            await self._apply(bus, cure)

    async def _apply(self, bus: NatsBus, cure: Cure) -> None:
        event = {
            "event": "cure",
            "at_ms": time.time_ns() // 1_000_000,
            "kind": cure.kind,
            "server": cure.server,
            "why": cure.why,
        }
        self._told(json.dumps(event))
        try:
            if cure.kind == "step down":
                await bus.api(f"STREAM.LEADER.STEPDOWN.{cure.stream}")
            else:
                async with asyncio.timeout(RESTART_S):
                    await self._restart(cure.server)
        except (PenstockError, TimeoutError) as error:
            self._told(json.dumps({**event, "event": "cure failed", "error": str(error)}))


async def _serves(server: NatsServer) -> bool:
    try:
        return await server.greets()
    except (OSError, TimeoutError):
        return False
