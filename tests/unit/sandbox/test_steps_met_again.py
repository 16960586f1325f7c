"""A sandbox host that is given a step again: it answers again and runs nothing twice."""

import asyncio
import gc

import pytest

from penstock.sandbox_host.once import Once, OnResult
from penstock.subjects.messages import Step, StepResult
from tests.security.sandbox_steps import step
from tests.simulation import virtual
from tests.unit.sandbox.harness import LONG_S, CountingExecutor, World, played

OURS = "penstock.sandbox_host"


async def result_of(once: Once, asked: Step) -> StepResult:
    done: asyncio.Future[StepResult] = asyncio.get_running_loop().create_future()
    once.run(asked, done.set_result)
    return await done


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
