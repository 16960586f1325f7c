"""Executions that wait, for what they say they wait, and when too many do.

They wait for a timer, a signal, a step or a host that takes it, and, where their tenant has
limits, for tokens of its rate or for a slot. What too many wait before is refused.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from penstock.actors.sleepers import PASSIVATE_AFTER_S
from penstock.subjects import asks
from penstock.subjects.messages import Cancel, Outputs, Resume, TenantLimits
from penstock.workflow.document import content_hash
from penstock.workflow.scope import Run
from tests.simulation.workflows import TRIGGER, document, mark
from tests.unit.actors.owner import Owner, ends, owned


async def state_of(owner: Owner, execution: str) -> Any:
    question = asks.ask_state.encode(asks.AskState(execution))
    answer = asks.state_answer.decode(await owner.bus.request("ask.local.0.state", question))
    return answer.view


def test_the_live_state_says_what_an_execution_waits_for() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "waiting")
        owner.run("e2", "called")
        owner.run("e3", "dispatched")
        await asyncio.sleep(1)

        views = [await state_of(owner, execution) for execution in ("e1", "e2", "e3", "e4")]

        assert [view and (view.status, view.waiting_for) for view in views] == [
            ("waiting", "timer"),
            ("waiting", "signal"),
            ("running", "step"),
            None,
        ]
        await asyncio.sleep(PASSIVATE_AFTER_S + 2)
        view = await state_of(owner, "e1")
        assert (view.status, view.waiting_for) == ("waiting", "timer")

    owned(test)


def test_a_live_state_that_no_message_holds_is_told_without_its_older_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(owner: Owner) -> None:
        outputs: Outputs = [[{"json": {"data": "x" * (20 << 20)}}]]
        owner.run("e1", "dispatched")
        await asyncio.sleep(1)
        state = owner.partition.table.active["e1"]
        monkeypatch.setattr(state, "runs", {0: [Run(outputs, []), Run(outputs, [])]})

        view = await state_of(owner, "e1")

        (runs,) = view.runs.values()
        assert (view.status, view.is_partial) == ("running", True)
        assert [(run.is_partial, run.outputs is None) for run in runs] == [
            (True, True),
            (False, False),
        ]

    owned(test)


def test_who_is_put_away_and_hears_what_does_not_wake_it_is_put_away_again() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "called")
        await asyncio.sleep(PASSIVATE_AFTER_S + 3)
        assert set(owner.partition.table.kept) == {"e1"}

        owner.signal(Resume("e1", [{"json": {}}], suffix="another"))
        await asyncio.sleep(1)
        assert set(owner.partition.table.active) == {"e1"}
        await asyncio.sleep(PASSIVATE_AFTER_S + 3)

        assert set(owner.partition.table.kept) == {"e1"}
        owner.signal(Resume("e1", [{"json": {}}]))
        await asyncio.sleep(1)
        assert owner.partition.table.active["e1"].waiting == "step"

    owned(test)


def test_a_step_that_no_host_can_take_says_so() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "dispatched")
        await asyncio.sleep(1)
        assert (await state_of(owner, "e1")).waiting_for == "step"
        await asyncio.sleep(10)
        assert (await state_of(owner, "e1")).waiting_for == "no-host"

    owned(test)


def test_steps_beyond_a_tenants_rate_wait_for_tokens_and_say_so() -> None:
    async def test(owner: Owner) -> None:
        owner.signal(TenantLimits("main", steps_per_s=0.5, steps_burst=2))
        await asyncio.sleep(1)
        owner.run("e0", "inline")
        await asyncio.sleep(6)
        for number in range(4):
            owner.run(f"e{number + 1}", "dispatched")
        await asyncio.sleep(0.5)
        assert len(owner.partition.dispatcher) == 2
        waiting = [(await state_of(owner, f"e{n}")).waiting_for for n in range(1, 5)]
        assert waiting.count("rate") == 2

        await asyncio.sleep(5)
        assert len(owner.partition.dispatcher) == 4

    owned(test)


def test_executions_over_the_concurrency_limit_are_held_and_start_when_one_ends() -> None:
    async def test(owner: Owner) -> None:
        owner.signal(TenantLimits("main", concurrency=1))
        await asyncio.sleep(1)
        owner.run("e0", "inline")  # with it the partition learns of the limit
        await asyncio.sleep(1)
        for execution in ("e1", "e2", "e3"):
            owner.run(execution, "called")
        await asyncio.sleep(3)
        assert set(owner.partition.table.active) == {"e1"}
        assert (await state_of(owner, "e2")).waiting_for == "concurrency"

        owner.kill()
        await owner.take_over()
        owner.signal(Cancel("e1"))
        await asyncio.sleep(3)
        assert set(owner.partition.table.active) == {"e2"}

        owner.signal(Cancel("e3"), Resume("e2", []))
        owner.signal(TenantLimits("main"))
        await asyncio.sleep(8)
        assert ends(owner)["e3"] == "canceled"
        assert not owner.partition.table.held

    owned(test)


def test_executions_that_too_many_wait_before_are_refused_with_429() -> None:
    async def test(owner: Owner) -> None:
        owner.signal(TenantLimits("main", concurrency=1, waiting=2))
        await asyncio.sleep(1)
        owner.run("e0", "inline")  # with it the partition learns of the limit
        await asyncio.sleep(1)
        for number in range(1, 6):
            owner.run(f"e{number}", "called")
            await asyncio.sleep(1)

        assert owner.partition.table.is_open("e1")
        assert set(owner.partition.table.held) == {"e2", "e3"}
        assert (ends(owner)["e4"], ends(owner)["e5"]) == ("error", "error")
        refused = {reply.execution: reply for reply in owner.replies if reply.execution != "e0"}
        assert {(one.status, one.headers["retry-after"]) for one in refused.values()} == {
            (429, "1")
        }

        owner.signal(Cancel("e1"))
        await asyncio.sleep(3)
        owner.run("e6", "called")
        await asyncio.sleep(1)
        assert set(owner.partition.table.held) == {"e3", "e6"}

    owned(test)


def test_executions_that_are_cancelled_while_they_wait_make_room_for_others_to_wait() -> None:
    async def test(owner: Owner) -> None:
        owner.signal(TenantLimits("main", concurrency=1, waiting=2))
        await asyncio.sleep(1)
        owner.run("e0", "inline")  # with it the partition learns of the limit
        await asyncio.sleep(1)
        for number in (1, 2, 3):
            owner.run(f"e{number}", "called")
            await asyncio.sleep(1)
        assert set(owner.partition.table.held) == {"e2", "e3"}
        owner.signal(Cancel("e2"), Cancel("e3"))
        await asyncio.sleep(1)

        owner.run("e4", "called")
        owner.run("e5", "called")
        await asyncio.sleep(1)

        assert set(owner.partition.table.held) == {"e4", "e5"}

    owned(test)


def test_an_endless_workflow_does_not_keep_others_of_its_tenant_from_running() -> None:
    endless = document(
        "endless",
        *(TRIGGER, mark("a"), mark("b")),
        edges={"start": [["a"]], "a": [["b"]], "b": [["a"]]},
    )

    async def turns(holds: Callable[[], bool]) -> int:
        """Turns of the event loop until it holds; virtual time stands still while it is busy."""
        for turn in range(2_000):
            if holds():
                return turn
            await asyncio.sleep(0)
        raise AssertionError("it does not come about")

    async def test(owner: Owner) -> None:
        await owner.store("endless", endless)
        owner.shared.plans.want(content_hash(endless), lambda _: None)
        owner.run("e0", "inline")
        await asyncio.sleep(1)
        assert len(owner.replies) == 1

        owner.run("e1", "endless", plan=content_hash(endless))
        await turns(lambda: owner.partition.transitions > 5_000)
        before = owner.partition.transitions
        owner.run("e2", "inline")
        await turns(lambda: len(owner.replies) == 2)
        assert owner.partition.transitions - before < 5_000

        owner.signal(Cancel("e1"))
        await turns(lambda: not owner.partition.table.is_open("e1"))

    owned(test)
