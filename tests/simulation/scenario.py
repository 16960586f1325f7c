"""One seed: a workload, faults while it runs, then quiet.

Safety is checked at every append while faults last (`ledger`, `wire`, `history`), and the seed ends
at the first broken promise. When the faults have stopped everything must come to its end, and soon.
"""

import asyncio
import functools
import gc
import logging
from collections import Counter
from typing import Any, NamedTuple

from penstock.subjects.messages import Cancel, Resume
from tests.simulation import probes, virtual
from tests.simulation.mishaps import Mishaps
from tests.simulation.virtual import START_MS
from tests.simulation.workflows import ALL, STATUS
from tests.simulation.world import TENANTS, World

EXECUTIONS = 24
FAULTS_S = 20.0
QUIET_S = 300.0
FIRES_S = 60.0
SLOTS_S = 8.0
"""More than the time after which a partition asks again whether there are limits."""
PERIOD_MS = 3_000
OFTEN_S = 1.0
"""Between the snapshots of every other seed: with the usual minute, a seed is over before one."""


class ViolationError(AssertionError):
    """A seed broke a promise. The message says how to see it again."""

    def __init__(self, seed: int, at_s: float, problems: list[str]) -> None:
        self.problems = problems
        shown = "\n  ".join(problem[:2_000] for problem in problems[:20])
        super().__init__(
            f"seed {seed} broke {len(problems)} promises, the first at {at_s:.3f} s:\n  {shown}\n"
            f"replay: just sim --seed {seed}"
        )


class Course(NamedTuple):
    """How a seed went: how often things happened, and a checksum of what was appended when."""

    counts: Counter[str]
    digest: int


def play(seed: int) -> Course:
    """Run one seed in virtual time; how it went, or `ViolationError`."""
    expected = stories()
    counts: Counter[str] = Counter()
    # What a killed process leaves behind ends when it is collected: not in the midst of a seed,
    # whose course would then depend on what was played before.
    gc.disable()
    try:
        with probes.counting(counts):
            digest = virtual.run(_Scenario(seed, expected, counts).run())
    except ViolationError:
        raise
    except Exception as error:
        raise ViolationError(seed, 0.0, [f"it ended with {error!r}"]) from error
    finally:
        gc.enable()
    return Course(counts, digest)


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


class _Complaints(logging.Handler):
    """What the product logs as an error is its own fault, and none of the world's."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._problems = problems

    def emit(self, record: logging.LogRecord) -> None:
        error = f" {record.exc_info[1]!r}" if record.exc_info else ""
        self._problems.append(f"logged: {record.getMessage()}{error}")


class _Scenario:
    def __init__(self, seed: int, expected: dict[str, Any], counts: Counter[str]) -> None:
        self.seed = seed
        self.expected = expected
        self.counts = counts
        self.world = World(seed)
        if not seed % 2:
            self.world.snapshot_s = OFTEN_S
        self.random = self.world.random
        self.mishaps = Mishaps(self.world, self.random)
        self.canceled: set[str] = set()
        self.resumed: set[str] = set()

    async def run(self) -> int:
        world = self.world
        await world.start()
        world.ledger.on_end = self._check_end
        complaints = _Complaints(world.ledger.problems)
        logging.getLogger("penstock").addHandler(complaints)
        asyncio.get_running_loop().set_exception_handler(self._on_loop_exception)
        try:
            await self._all_of_it()
        finally:
            logging.getLogger("penstock").removeHandler(complaints)
            world.close()
        self._count()
        return world.digest

    async def _all_of_it(self) -> None:
        world = self.world
        world.add_projector()
        if self.random.random() < 0.3:
            world.limit("main", self.random.choice((1, 3, 6)))
        world.faults.begin(self.random)
        await self._disturb()
        await asyncio.sleep(FAULTS_S / 4)
        self.mishaps.end()
        await self._fire_again()
        await world.set_schedule(is_on=False)
        if self.random.random() < 0.5:
            for tenant in TENANTS:
                world.limit(tenant)
        await self._quiet()
        world.ledger.problems += self._unfinished()
        self._look()
        await self._use_all_slots()
        world.ledger.problems += [*self._unfinished(), *self._check_schedule()]
        world.ledger.problems += world.audit.problems()
        self._look()

    def _look(self) -> None:
        problems = self.world.ledger.problems
        if problems:
            raise ViolationError(self.seed, asyncio.get_running_loop().time(), problems)

    def _on_loop_exception(self, _: object, context: dict[str, Any]) -> None:
        if "exception" in context:  # a task of a killed process that waits for ever is none
            text = f"{context['message']}: {context['exception']!r}"
            self.world.ledger.problems.append(text)

    async def _disturb(self) -> None:
        loop, random = asyncio.get_running_loop(), self.random
        ends_s = loop.time() + FAULTS_S
        left = EXECUTIONS
        while loop.time() < ends_s:
            await asyncio.sleep(random.uniform(0.0, FAULTS_S / EXECUTIONS))
            if left > 0 and random.random() < 0.6:
                left -= self._start_some()
            if random.random() < 0.45:
                self.mishaps.one()
            if random.random() < 0.2:
                self._resume(random.random() < 0.5)
            self._look()

    def _start_some(self) -> int:
        random, gateway = self.random, self.world.gateway
        names = list(ALL)
        wanted = [
            (random.choice(names), random.choice(TENANTS)) for _ in range(random.choice((1, 1, 3)))
        ]
        again_s = random.uniform(0.0, 10.0) if random.random() < 0.2 else None
        for execution in gateway.run_all(wanted, self.world.hashes, again_s):
            if random.random() < 0.15:
                self.canceled.add(execution)
                delay_s = random.choice((0.0, random.uniform(0.0, 8.0)))
                asyncio.get_running_loop().call_later(delay_s, gateway.signal, Cancel(execution))
        return len(wanted)

    def _resume(self, most: bool) -> None:
        """Call what waits to be called: once, since a call that was acknowledged must do."""
        ledger = self.world.ledger
        for execution, name in self.world.gateway.sent.items():
            history = ledger.histories.get(execution)
            is_asleep = history is not None and history.state.sleep is not None
            if name == "called" and is_asleep and execution not in self.resumed:
                self.resumed.add(execution)
                self.world.gateway.signal(Resume(execution, [{"json": {"called": True}}]))
                if not most:
                    return

    async def _quiet(self) -> None:
        """No more faults: everything must come to its end, and soon."""
        for _ in range(int(QUIET_S)):
            await asyncio.sleep(1.0)
            self._resume(True)
            self._look()
            if self._is_over():
                break

    async def _fire_again(self) -> None:
        """No more faults: the schedule fires, although nobody may have owned it until now."""
        fired = self.world.ledger.fired
        before = len(fired)
        for _ in range(int(FIRES_S)):
            await asyncio.sleep(1.0)
            self._look()
            if len(fired) > before:
                return
        self.world.ledger.problems.append("the schedule does not fire")

    async def _use_all_slots(self) -> None:
        """Now that nothing runs, as many executions may run at once as a limit says."""
        random, world = self.random, self.world
        tenant, most = random.choice(TENANTS), random.choice((2, 4))
        world.limit(tenant, most)
        await asyncio.sleep(SLOTS_S)
        executions = world.gateway.run_all([("called", tenant)] * most, world.hashes)
        for _ in range(int(SLOTS_S)):
            await asyncio.sleep(1.0)
            held = [execution for execution in executions if execution not in world.ledger.requests]
            if not held:
                break
        else:
            text = f"{len(held)} of {most} slots of {tenant} are used although nothing runs"
            world.ledger.problems.append(text)
            self._look()
        await self._quiet()

    def _is_over(self) -> bool:
        world = self.world
        return (
            len(world.gateway.acknowledged) == len(world.gateway.sent)
            and all(execution in world.ledger.ends for execution in world.gateway.sent)
            and all(execution in world.ledger.ends for execution in world.ledger.fired.values())
            and not world.ledger.open()
            and world.audit.is_complete()
        )

    def _check_end(self, execution: str) -> None:
        """An execution has ended: as it should, and its caller was told in the same record."""
        ledger = self.world.ledger
        name = self.world.gateway.sent.get(execution)
        status = ledger.ends[execution]
        if name is not None and execution not in ledger.answered:
            ledger.problems.append(f"{execution} ({name}) never answered its caller")
        if status == "canceled" and execution.partition("-")[0] in self.canceled:
            return
        if name is None:
            if status != "success":
                ledger.problems.append(f"{execution} ended with {status}")
        elif status != STATUS[name]:
            error = ledger.histories[execution].state.error
            ledger.problems.append(f"{execution} ({name}) ended with {status}: {error}")
        elif ledger.story(execution) != self.expected[name]:
            ledger.problems.append(f"{execution} ({name}) did {ledger.story(execution)}")

    def _unfinished(self) -> list[str]:
        """What was promised and has not come, although there was time enough."""
        world, ledger = self.world, self.world.ledger
        problems = [
            f"{execution} ({name}) was acknowledged and has not ended"
            for execution, name in world.gateway.sent.items()
            if execution not in ledger.ends
        ]
        return problems + [f"{execution} is open for ever" for execution in ledger.open()]

    def _check_schedule(self) -> list[str]:
        """Every due time up to the last one that fired has fired, once (the ledger sees twice)."""
        due = sorted(due_ms for _, due_ms in self.world.ledger.fired)
        wanted = range(START_MS + PERIOD_MS, due[-1] + 1, PERIOD_MS)
        return [] if due == list(wanted) else [f"fired at {due}, not each {PERIOD_MS} ms"]

    def _count(self) -> None:
        world, counts = self.world, self.counts
        counts.update(world.faults.happened)
        counts.update(self.mishaps.happened)
        counts.update(world.gateway.happened)
        counts["executions"] = len(world.ledger.ends)
        counts["executions canceled"] = len(self.canceled)
        counts["records"] = world.ledger.records
        counts["snapshots"] = world.snapshots()
        counts["step run again"] = sum(count - 1 for count in world.ran.values())
