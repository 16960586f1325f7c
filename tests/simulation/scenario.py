"""One seed: a workload, faults while it runs, then quiet, and what must hold at the end."""

import asyncio
import functools
from typing import Any

from penstock.subjects.messages import Cancel, Resume
from tests.simulation import virtual
from tests.simulation.virtual import START_MS
from tests.simulation.workflows import ALL, STATUS
from tests.simulation.world import SimHost, World

EXECUTIONS = 24
FAULTS_S = 20.0
QUIET_S = 300.0
CLOCK_AHEAD_MS = 20_000_000
PERIOD_MS = 3_000
OFTEN_S = 1.0
"""Between the snapshots of every other seed: with the usual minute, a seed is over before one."""


class ViolationError(AssertionError):
    """A seed broke a promise. The message says how to see it again."""

    def __init__(self, seed: int, problems: list[str]) -> None:
        shown = "\n  ".join(problems[:20])
        super().__init__(
            f"seed {seed} broke {len(problems)} promises:\n  {shown}\n"
            f"replay: python -m tests.simulation --seed {seed}"
        )


def play(seed: int) -> dict[str, Any]:
    """Run one seed in virtual time; figures of it, or `ViolationError`."""
    expected = stories()
    return virtual.run(_Scenario(seed, expected).run())


@functools.cache
def stories() -> dict[str, Any]:
    """What each workflow does when nothing goes wrong."""
    return virtual.run(_undisturbed())


async def _undisturbed() -> dict[str, Any]:
    world = World(0)
    await world.start()
    await asyncio.sleep(1)
    executions = {name: world.gateway.run(name, world.hashes) for name in ALL}
    for _ in range(60):
        await asyncio.sleep(1)
        if executions["called"] not in world.ledger.ends:
            world.gateway.signal(Resume(executions["called"], [{"json": {"called": True}}]))
    world.close()
    assert not world.ledger.problems, world.ledger.problems
    return {name: world.ledger.story(execution) for name, execution in executions.items()}


class _Scenario:
    def __init__(self, seed: int, expected: dict[str, Any]) -> None:
        self.seed = seed
        self.expected = expected
        self.world = World(seed)
        if not seed % 2:
            self.world.snapshot_s = OFTEN_S
        self.random = self.world.random
        self.canceled: set[str] = set()
        self.kills = 0

    async def run(self) -> dict[str, Any]:
        world = self.world
        await world.start()
        if self.random.random() < 0.3:
            await world.limit_concurrency(self.random.choice((1, 3, 6)))
        self._begin_faults()
        await self._disturb()
        await asyncio.sleep(FAULTS_S / 4)
        self._end_faults()
        await world.set_schedule(is_on=False)
        await world.limit_concurrency(-1)
        await self._quiet()
        problems = [*world.ledger.problems, *self._check()]
        world.close()
        if problems:
            raise ViolationError(self.seed, problems)
        again = sum(count - 1 for count in world.ran.values())
        return {
            "executions": len(world.ledger.ends),
            "records": world.ledger.records,
            "kills": self.kills,
            "steps run again": again,
            "snapshots": world.snapshots(),
            "stored late": world.gateway.stored_late,
        }

    def _begin_faults(self) -> None:
        faults, random = self.world.faults, self.random
        faults.lost_ack = random.choice((0.0, 0.02, 0.1))
        faults.refused = random.choice((0.0, 0.02, 0.1))
        faults.late_ack = random.choice((0.0, 0.1, 0.5))
        faults.delayed = random.choice((0.0, 0.1, 0.5))
        faults.duplicate_work = random.choice((0.0, 0.1))
        faults.late_s = random.choice((0.05, 0.5))

    def _end_faults(self) -> None:
        faults = self.world.faults
        faults.lost_ack = faults.refused = faults.late_ack = 0.0
        faults.delayed = faults.duplicate_work = 0.0
        faults.full_streams.clear()
        faults.stalled_streams.clear()
        self.world.offset_ms = CLOCK_AHEAD_MS
        for host in self.world.hosts:
            host.bus.on_append = lambda subject: None
            # A timer set by a clock that ran ahead is due when the others get there.
            host.clock.offset_ms = CLOCK_AHEAD_MS
            if not host.is_dead:
                host.bus.thaw()
                host.bus.reconnect()

    async def _disturb(self) -> None:
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + FAULTS_S
        left = EXECUTIONS
        while loop.time() < ends_s:
            await asyncio.sleep(self.random.uniform(0.0, 2 * FAULTS_S / (EXECUTIONS * 2)))
            if left and self.random.random() < 0.8:
                left -= 1
                self._start_one()
            if self.random.random() < 0.35:
                await self._go_wrong()
            if self.random.random() < 0.2:
                self._resume_waiting()

    def _start_one(self) -> None:
        name = self.random.choice(list(ALL))
        execution = self.world.gateway.run(name, self.world.hashes)
        if self.random.random() < 0.1:
            self.canceled.add(execution)
            self.world.gateway.signal(Cancel(execution))

    async def _go_wrong(self) -> None:
        mishap = self.random.choice(
            (
                self._kill_host,
                self._kill_host,
                self._kill_at_append,
                self._freeze_host,
                self._cut_off_host,
                self._kill_sandbox,
                self._jump_clock,
                self._fill_stream,
                self._drain_host,
                self.world.mark_history,
            )
        )
        await mishap()

    def _a_host(self) -> SimHost:
        alive = [host for host in self.world.hosts if not host.is_dead]
        return self.random.choice(alive) if alive else self.world.add_host()

    def _later(self, most_s: float, action: Any) -> None:
        asyncio.get_running_loop().call_later(self.random.uniform(0.0, most_s), action)

    async def _kill_host(self) -> None:
        self.kills += 1
        self._a_host().kill()
        self._later(3.0, self.world.add_host)

    async def _kill_at_append(self) -> None:
        """Between an append and its acknowledgement: the worst moment."""
        host = self._a_host()
        left = self.random.randrange(1, 8)

        def on_append(subject: str) -> None:
            nonlocal left
            left -= 1
            if not left:
                self.kills += 1
                asyncio.get_running_loop().call_soon(host.kill)
                host.bus.is_dead = True
                self._later(2.0, self.world.add_host)

        host.bus.on_append = on_append

    async def _drain_host(self) -> None:
        host = self._a_host()
        self.world.add_host()
        await host.drain()

    async def _freeze_host(self) -> None:
        host = self._a_host()
        host.bus.freeze()
        self._later(6.0, lambda: None if host.is_dead else host.bus.thaw())

    async def _cut_off_host(self) -> None:
        host = self._a_host()
        host.bus.disconnect()
        self._later(4.0, lambda: None if host.is_dead else host.bus.reconnect())

    async def _kill_sandbox(self) -> None:
        self.world.sandboxes.pop(self.random.randrange(len(self.world.sandboxes))).kill()
        await self.world.add_sandbox()

    async def _jump_clock(self) -> None:
        self._a_host().clock.offset_ms += self.random.choice((-30_000, 30_000, CLOCK_AHEAD_MS // 4))

    async def _fill_stream(self) -> None:
        streams = self.world.faults.full_streams
        stream = self.random.choice(("EXEC", "SNAP", "STEPS", "DONE"))
        streams.add(stream)
        self._later(3.0, lambda: streams.discard(stream))

    def _resume_waiting(self) -> None:
        for execution, name in self.world.gateway.sent.items():
            if name == "called" and execution not in self.world.ledger.ends:
                signal = Resume(execution, [{"json": {"called": True}}])
                self.world.gateway.signal(signal)

    async def _quiet(self) -> None:
        """No more faults: everything must come to its end, and soon."""
        if all(host.is_dead for host in self.world.hosts):
            self.world.add_host()
        for _ in range(int(QUIET_S)):
            await asyncio.sleep(1.0)
            self._resume_waiting()
            if self._is_over():
                break

    def _is_over(self) -> bool:
        world = self.world
        return (
            len(world.gateway.acknowledged) == len(world.gateway.sent)
            and all(execution in world.ledger.ends for execution in world.gateway.sent)
            and all(execution in world.ledger.ends for execution in world.ledger.fired.values())
            and not world.ledger.open()
        )

    def _check(self) -> list[str]:
        world, ledger = self.world, self.world.ledger
        problems = [
            f"{execution} ({name}) was acknowledged and has not ended"
            for execution, name in world.gateway.sent.items()
            if execution not in ledger.ends
        ]
        problems += [f"{execution} is open for ever" for execution in ledger.open()]
        problems += self._check_schedule()
        for execution, name in world.gateway.sent.items():
            status = ledger.ends.get(execution)
            if status == "canceled" and execution in self.canceled:
                continue
            if status is not None and execution not in ledger.histories:
                continue  # it never started: the ledger has said so
            if status is not None and status != STATUS[name]:
                state = ledger.histories[execution].state
                problems.append(f"{execution} ({name}) ended with {status}: {state.error}")
            elif status is not None and ledger.story(execution) != self.expected[name]:
                problems.append(f"{execution} ({name}) did {ledger.story(execution)}")
            if status is not None and execution not in ledger.answered:
                problems.append(f"{execution} ({name}) never answered its caller")
        return problems

    def _check_schedule(self) -> list[str]:
        """Every due time up to the last one that fired has fired, once (the ledger sees twice)."""
        ledger = self.world.ledger
        due = sorted(due_ms for _, due_ms in ledger.fired)
        if not due:
            return ["the schedule never fired"]
        wanted = range(START_MS + PERIOD_MS, due[-1] + 1, PERIOD_MS)
        problems = [] if due == list(wanted) else [f"fired at {due}, not each {PERIOD_MS} ms"]
        for execution in ledger.fired.values():
            if ledger.ends.get(execution) != "success":
                problems.append(f"{execution} (scheduled) ended: {ledger.ends.get(execution)}")
        return problems
