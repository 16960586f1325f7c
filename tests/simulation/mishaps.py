"""What somebody has to do for it to go wrong: kills, freezes, cuts, stalls, full streams, clocks.

`happened` counts them by name, so that a test can tell whether each kind occurs at all.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

from tests.simulation.history import SimProjector
from tests.simulation.world import TENANTS, SimHost, World

STREAMS = ("EXEC", "SNAP", "STEPS", "DONE")
JUMPS_MS = (-30_000, 30_000, 300_000)


class Mishaps:
    """Draws one at a time, and mends it after a while."""

    def __init__(self, world: World, random: Random) -> None:
        self.happened: Counter[str] = Counter()
        self._world = world
        self._random = random
        self._kinds: Sequence[Callable[[], str]] = (
            self._kill_host,
            self._kill_host,
            self._kill_host_at_append,
            self._kill_host_at_append,
            self._freeze_host,
            self._freeze_host,
            self._cut_off_host,
            self._drain_host,
            self._kill_sandbox,
            self._restart_broker,
            self._jump_clock,
            self._fill_stream,
            self._stall_leader,
            self._change_limits,
            self._kill_projector,
            self._kill_projector_at_statement,
            self._freeze_projector,
            self._add_projector,
            self._take_database_away,
        )

    def one(self) -> None:
        """Let one thing go wrong."""
        self.happened[self._random.choice(self._kinds)()] += 1

    def end(self) -> None:
        """Mend everything at once."""
        world = self._world
        world.faults.end()
        for stream in STREAMS:
            world.broker.go_on(stream)
        world.find_broker()
        world.database.is_away = False
        # A timer set by a clock that ran ahead is due when the others get there.
        ahead_ms = max(world.offset_ms, *(host.clock.offset_ms for host in world.hosts))
        world.offset_ms = ahead_ms
        for host in world.hosts:
            host.bus.on_append = lambda subject: None
            host.clock.offset_ms = ahead_ms
            if not host.is_dead:
                host.bus.thaw()
                host.bus.reconnect()
        for projector in world.projectors:
            projector.left = None
            if not projector.is_dead:
                projector.bus.thaw()
        if all(host.is_dead for host in world.hosts):
            world.add_host()
        if all(projector.is_dead for projector in world.projectors):
            world.add_projector()

    def _a_host(self) -> SimHost:
        alive = [host for host in self._world.hosts if not host.is_dead]
        return self._random.choice(alive) if alive else self._world.add_host()

    def _a_projector(self) -> SimProjector:
        alive = [projector for projector in self._world.projectors if not projector.is_dead]
        return self._random.choice(alive) if alive else self._world.add_projector()

    def _later(self, most_s: float, action: Callable[[], object]) -> None:
        asyncio.get_running_loop().call_later(self._random.uniform(0.0, most_s), action)

    def _kill_host(self) -> str:
        self._a_host().kill()
        self._later(3.0, self._world.add_host)
        return "host killed"

    def _kill_host_at_append(self) -> str:
        """Between an append and its acknowledgement: the worst moment."""
        host = self._a_host()
        left = self._random.randrange(1, 8)

        def on_append(subject: str) -> None:
            nonlocal left
            left -= 1
            if not left and not host.is_dead:
                self.happened["host killed between append and acknowledgement"] += 1
                host.bus.is_dead = True
                asyncio.get_running_loop().call_soon(host.kill)
                self._later(2.0, self._world.add_host)

        host.bus.on_append = on_append
        return "host to be killed at an append"

    def _drain_host(self) -> str:
        host = self._a_host()
        self._world.add_host()
        self._world.run_aside(host.drain())
        return "host drained"

    def _freeze_host(self) -> str:
        host = self._a_host()
        host.bus.freeze()
        self._later(6.0, lambda: None if host.is_dead else host.bus.thaw())
        return "host frozen"

    def _cut_off_host(self) -> str:
        host = self._a_host()
        host.bus.disconnect()
        self._later(4.0, lambda: None if host.is_dead else host.bus.reconnect())
        return "host cut off"

    def _kill_sandbox(self) -> str:
        world = self._world
        world.sandboxes.pop(self._random.randrange(len(world.sandboxes))).kill()
        world.run_aside(world.add_sandbox())
        return "sandbox host killed"

    def _restart_broker(self) -> str:
        self._world.lose_broker()
        self._later(2.0, self._world.find_broker)
        return "broker restarted"

    def _jump_clock(self) -> str:
        self._a_host().clock.offset_ms += self._random.choice(JUMPS_MS)
        return "clock jumped"

    def _fill_stream(self) -> str:
        streams = self._world.faults.full_streams
        stream = self._random.choice(STREAMS)
        streams.add(stream)
        self._later(3.0, lambda: streams.discard(stream))
        return f"{stream} full"

    def _stall_leader(self) -> str:
        stream = self._random.choice(STREAMS)
        broker = self._world.broker
        broker.stall(stream)
        self._later(5.0, lambda: broker.go_on(stream))
        return f"leader of {stream} stalled"

    def _change_limits(self) -> str:
        concurrency, steps_per_s = self._random.choice((-1, 2, 6)), self._random.choice((-1, 4))
        self._world.limit(self._random.choice(TENANTS), concurrency, steps_per_s)
        return "limits changed"

    def _kill_projector(self) -> str:
        self._a_projector().kill()
        self._later(2.0, self._world.add_projector)
        return "projector killed"

    def _kill_projector_at_statement(self) -> str:
        """Between two statements of a transaction, or before or after it."""
        projector = self._a_projector()
        projector.left = self._random.randrange(1, 12)
        self._later(2.0, self._world.add_projector)
        return "projector to be killed at a statement"

    def _freeze_projector(self) -> str:
        projector = self._a_projector()
        projector.bus.freeze()
        self._later(4.0, lambda: None if projector.is_dead else projector.bus.thaw())
        return "projector frozen"

    def _add_projector(self) -> str:
        """A second one beside the first, as when a program is replaced without a break."""
        self._world.add_projector()
        return "projector added"

    def _take_database_away(self) -> str:
        database = self._world.database
        database.is_away = True

        def bring_back() -> None:
            database.is_away = False

        self._later(3.0, bring_back)
        return "database away"
