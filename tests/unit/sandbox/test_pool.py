"""The pool: who gets a worker, what happens to steps when one is lost."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.sandbox_host import pool as pool_module
from penstock.sandbox_host.pool import PoolSettings, ProcessPool
from penstock.subjects.messages import Outcome
from tests.security.sandbox_steps import document, first_json, run_code, step, with_pool

if sys.platform != "linux":
    pytest.skip("the process tier needs Linux", allow_module_level=True)

DEADLINE_S = 10.0
SLEEP = "await new Promise((done) => setTimeout(done, 400)); return {slept: true}"


async def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def test_steps_of_one_version_share_workers_and_keep_their_results() -> None:
    async def many(pool: ProcessPool) -> list[Outcome]:
        body = document("return {n: $json.n}")
        steps = [step(body, [{"json": {"n": n}}]) for n in range(200)]
        return list(await asyncio.gather(*(pool.run(each, body) for each in steps)))

    outcomes = with_pool(many)

    assert [first_json(outcome)["n"] for outcome in outcomes] == list(range(200))


def test_more_versions_than_workers_take_turns() -> None:
    async def many(pool: ProcessPool) -> list[Outcome]:
        codes = [f"return {{n: {n}}}" for n in range(12)]
        return list(await asyncio.gather(*(run_code(pool, code) for code in codes)))

    outcomes = with_pool(many, PoolSettings(workers_max=2, blank=1))

    assert [first_json(outcome)["n"] for outcome in outcomes] == list(range(12))


@pytest.mark.parametrize(("short_s", "workers"), [(3600.0, 1), (1e-9, 2)])
def test_steps_that_would_not_wait_for_long_share_a_worker(
    monkeypatch: pytest.MonkeyPatch, short_s: float, workers: int
) -> None:
    monkeypatch.setattr(pool_module, "_WAIT_S", short_s)

    async def bound(pool: ProcessPool) -> int:
        body = document("return {}")
        await pool.run(step(body), body)
        await until(lambda: len(pool._blank) == 1)
        await asyncio.gather(*(pool.run(step(body), body) for _ in range(10)))
        return sum(map(len, pool._bound.values()))

    assert with_pool(bound, PoolSettings(per_version=2, blank=1)) == workers


def test_no_worker_is_there_before_one_is_wanted() -> None:
    async def wanted(pool: ProcessPool) -> tuple[int, dict[str, object]]:
        await until(lambda: pool.has_tried.is_set() and not pool._lanes)
        active = pool.isolation.report()
        await run_code(pool, "return {}")
        return len(pool._lanes), active

    workers, isolation = with_pool(wanted)

    assert workers == 1
    assert "seccomp" in str(isolation["active"])


def test_a_spare_worker_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_SPARE_S", 0.0)

    async def spare(pool: ProcessPool) -> None:
        await pool.has_tried.wait()
        pool._refill(1)
        await until(lambda: pool._blank)
        await until(lambda: not pool._lanes)

    with_pool(spare)


def test_a_slow_step_calls_for_another_worker() -> None:
    async def both(pool: ProcessPool) -> tuple[bool, Outcome]:
        body = document("if ($json.fast) return {fast: true}; for (;;) {}")
        slow = asyncio.ensure_future(pool.run(step(body, [{"json": {"fast": False}}]), body))
        await until(lambda: any(lane.is_slow for lane in pool._lanes.values()))
        behind = asyncio.ensure_future(pool.run(step(body, [{"json": {"fast": True}}]), body))
        await until(lambda: pool._blank)
        outcome = await pool.run(step(body, [{"json": {"fast": True}}]), body)
        was_done = slow.done() or behind.done()
        slow.cancel(), behind.cancel()
        return was_done, outcome

    was_done, outcome = with_pool(both)

    assert was_done is False
    assert first_json(outcome) == {"fast": True}


def test_slow_steps_do_not_hold_up_those_that_come_later() -> None:
    async def both(pool: ProcessPool) -> tuple[list[bool], list[Outcome]]:
        body = document(f"if ($json.fast) return {{}}; {SLEEP}")
        slow = [
            asyncio.ensure_future(pool.run(step(body, [{"json": {"fast": False}}]), body))
            for _ in range(3)
        ]
        await asyncio.sleep(0.1)
        await pool.run(step(body, [{"json": {"fast": True}}]), body)
        were_done = [task.done() for task in slow]
        return were_done, list(await asyncio.gather(*slow))

    were_done, outcomes = with_pool(both, PoolSettings(workers_max=8, per_version=3, blank=3))

    assert were_done == [False, False, False]
    assert all(outcome.error is None for outcome in outcomes)


def test_a_step_behind_one_that_kills_its_worker_is_run_elsewhere() -> None:
    async def both(pool: ProcessPool) -> list[Outcome]:
        body = document(
            "import os\n"
            "if _items[0]['json']['kill']: os._exit(3)\n"
            "return [{'json': {'fine': True}}]",
            language="pythonNative",
        )
        steps = [step(body, [{"json": {"kill": kill}}]) for kill in (True, False, False)]
        return list(await asyncio.gather(*(pool.run(each, body) for each in steps)))

    first, *others = with_pool(both, PoolSettings(per_version=1))

    assert first.error is not None
    assert first.error.message == "The sandbox ended the code: ended with status 3"
    assert [first_json(outcome) for outcome in others] == [{"fine": True}] * 2


def test_idle_workers_are_ended() -> None:
    async def idle(pool: ProcessPool) -> None:
        await run_code(pool, "return {}")
        await until(lambda: not pool._bound)

    with_pool(idle, PoolSettings(idle_s=0.1))


def test_closing_fails_what_waits_and_leaves_no_group_behind() -> None:
    async def close() -> Outcome:
        pool = ProcessPool()
        await pool.start()
        running = asyncio.ensure_future(run_code(pool, "for (;;) {}"))
        await until(lambda: any(lane.jobs for lane in pool._lanes.values()))
        await pool.close()
        return await running

    outcome = asyncio.run(close())

    assert outcome.error is not None
    assert "the sandbox host stops" in outcome.error.message
    left = Path("/sys/fs/cgroup/memory").glob(f"penstock-{os.getpid()}-*")
    assert list(left) == []
