"""A sandbox host that is given a step again: it answers again and runs nothing twice."""

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest

from penstock.sandbox_host.host import STEPS, TierServer
from penstock.sandbox_host.once import Once, OnResult
from penstock.subjects import names
from penstock.subjects.bus import Ack, Message
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.codec import Codec
from penstock.subjects.memory_broker import Faults, MemoryBroker
from penstock.subjects.messages import Outcome, Step, StepResult
from penstock.subjects.streams import Budget, ensure
from tests.security.sandbox_steps import step
from tests.simulation import virtual

RESULTS: Codec[list[StepResult]] = Codec(list[StepResult])
LONG_S = 10.0
OURS = "penstock.sandbox_host"


class CountingExecutor:
    """Notes what it runs; each step takes `LONG_S`."""

    host_id = "h1"

    def __init__(self) -> None:
        self.ran: list[int] = []

    def start(self, step: Step, on_result: OnResult) -> None:
        self.ran.append(step.seq)
        result = StepResult(step.execution, step.seq, step.attempt, Outcome([[]]), "h1", 0, 1)
        asyncio.get_running_loop().call_later(LONG_S, on_result, result)


async def result_of(once: Once, asked: Step) -> StepResult:
    done: asyncio.Future[StepResult] = asyncio.get_running_loop().create_future()
    once.run(asked, done.set_result)
    return await done


class World:
    """A host and an owner that sends it steps, on a broker that can fail."""

    def __init__(self) -> None:
        self.broker = MemoryBroker(Faults())
        self.owner = MemoryBus(self.broker)
        self.host = MemoryBus(self.broker)
        self.executor = CountingExecutor()
        self.results: list[int] = []

    async def start(self) -> None:
        await ensure(self.owner, "local", Budget(file_bytes=1 << 30))
        self.owner.follow("DONE", names.done("local", 0), 1, self._received)
        executor = self.executor
        self.server = TierServer(self.host, executor, region="local", tier="process", slots=4)  # type: ignore[arg-type]
        await self.server.start()

    def send(self, *numbers: int) -> None:
        """One batch of steps."""
        steps = [step(b"{}") for _ in numbers]
        for made, number in zip(steps, numbers, strict=True):
            made.seq = number
        self.owner.append(names.steps("local", "process"), STEPS.encode(steps), _stored)

    def stored_steps(self) -> int:
        return len(self.broker.stream("STEPS").messages)

    def _received(self, message: Message) -> None:
        self.results += [result.seq for result in RESULTS.decode(message.payload)]


def _stored(result: Ack | Exception) -> None:
    assert isinstance(result, Ack), result


def played(test: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        world = World()
        await world.start()
        try:
            await test(world)
        finally:
            await world.server.drain(0)

    virtual.run(main())


def test_steps_that_run_through_a_long_outage_run_once() -> None:
    async def test(world: World) -> None:
        world.send(1, 2)
        world.send(3)
        await asyncio.sleep(1)
        world.host.disconnect()
        await asyncio.sleep(5)  # the broker gives up on the host and queues its steps again
        world.host.reconnect()
        await asyncio.sleep(3 * LONG_S)

        assert sorted(world.executor.ran) == [1, 2, 3]
        assert set(world.results) == {1, 2, 3}
        assert world.stored_steps() == 0
        assert world.server.free == 4

    played(test)


def test_a_step_sent_again_after_its_answer_was_lost_is_answered_again_without_running() -> None:
    async def test(world: World) -> None:
        world.send(1)
        await asyncio.sleep(LONG_S + 1)
        assert world.results == [1]

        world.send(1)
        await asyncio.sleep(1)

        assert world.executor.ran == [1]
        assert world.results == [1, 1]

    played(test)


def test_another_attempt_of_a_step_runs() -> None:
    async def main() -> None:
        executor = CountingExecutor()
        once = Once(executor.start)
        first, second = step(b"{}"), step(b"{}")
        second.attempt += 1

        await asyncio.gather(result_of(once, first), result_of(once, second))

        assert executor.ran == [1, 1]

    virtual.run(main())


def test_what_is_remembered_is_bounded_by_count_and_by_bytes() -> None:
    async def main() -> None:
        executor = CountingExecutor()
        once = Once(executor.start, results_max=2, bytes_max=100)

        async def answer(number: int, payload_bytes: int) -> None:
            asked = step(b"{}")
            asked.seq = number
            once.stored(await result_of(once, asked), payload_bytes)

        for number in (1, 2, 3, 1):  # the third takes the place of the first
            await answer(number, 10)
        assert executor.ran == [1, 2, 3, 1]

        await answer(4, 95)  # leaves no room for the others
        await answer(1, 10)
        assert executor.ran == [1, 2, 3, 1, 4, 1]

    virtual.run(main())


def test_a_step_that_could_not_be_begun_runs_when_it_comes_again() -> None:
    async def main() -> None:
        executor = CountingExecutor()
        failures = [RuntimeError("no")]

        def start(step: Step, on_result: OnResult) -> None:
            if failures:
                raise failures.pop()
            executor.start(step, on_result)

        once = Once(start)
        with pytest.raises(RuntimeError):
            await result_of(once, step(b"{}"))

        await result_of(once, step(b"{}"))

        assert executor.ran == [1]

    virtual.run(main())


def test_whoever_asks_while_a_step_runs_or_waits_to_be_stored_gets_its_result() -> None:
    async def main() -> None:
        executor = CountingExecutor()
        once = Once(executor.start)

        first, second = await asyncio.gather(
            result_of(once, step(b"{}")), result_of(once, step(b"{}"))
        )
        third = await result_of(once, step(b"{}"))

        assert first is second is third
        assert executor.ran == [1]

    virtual.run(main())


def test_answering_steps_leaves_nothing_for_the_collector() -> None:
    """What is in a cycle stays until the collector comes by: here with all the results in it."""

    async def test(world: World) -> None:
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        world.send(1, 2)
        await asyncio.sleep(LONG_S + 1)
        assert world.results == [1, 2]
        gc.collect()
        gc.set_debug(0)

    try:
        played(test)
        left = [each for each in gc.garbage if getattr(each, "__module__", "").startswith(OURS)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()

    assert left == []
