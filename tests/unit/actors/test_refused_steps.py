"""Steps for which STEPS has no room: they leave when there is some, if they are still wanted."""

import asyncio

import pytest

from penstock.actors.execution.effects import Dispatch
from penstock.subjects import codec
from penstock.subjects.messages import Cancel, Step
from tests.unit.actors.owner import Owner, ends, owned, sent


def test_refused_steps_leave_when_there_is_room() -> None:
    async def test(owner: Owner) -> None:
        owner.broker.faults.full_streams.add("STEPS")
        owner.run("e1", "dispatched")
        owner.run("e2", "dispatched")
        await asyncio.sleep(5)
        owner.broker.faults.full_streams.clear()
        await asyncio.sleep(1)

        assert sorted(step.execution for step in sent(owner)) == ["e1", "e2"]

    owned(test)


def test_of_refused_steps_those_of_executions_that_were_cancelled_never_leave() -> None:
    async def test(owner: Owner) -> None:
        owner.broker.faults.full_streams.add("STEPS")
        for execution in ("e1", "e2", "e3"):
            owner.run(execution, "dispatched")
        await asyncio.sleep(5)
        owner.signal(Cancel("e1"), Cancel("e3"))
        await asyncio.sleep(5)
        assert ends(owner) == {"e1": "canceled", "e3": "canceled"}

        owner.broker.faults.full_streams.clear()
        await asyncio.sleep(5)

        assert [step.execution for step in sent(owner)] == ["e2"]

    owned(test)


def test_what_is_still_tried_is_not_sent_again_beside_that() -> None:
    async def test(owner: Owner) -> None:
        owner.run("stored", "dispatched")
        await asyncio.sleep(1)
        owner.broker.faults.full_streams.add("STEPS")
        owner.run("refused", "dispatched")
        await asyncio.sleep(5)

        owner.bus.disconnect()
        owner.broker.lose("STEPS")
        owner.broker.faults.full_streams.clear()
        owner.bus.reconnect()
        await asyncio.sleep(5)

        assert sorted(step.execution for step in sent(owner)) == ["refused", "stored"]

    owned(test)


def dispatch(execution: str) -> Dispatch:
    step = Step(execution, "main", "w", "plan", "webhook", 0, 0, 1, 0, [], [], {}, {}, 0, 0, 0)
    return Dispatch("process", step)


def test_a_batch_that_was_stored_unheard_is_not_stored_again_when_less_of_it_is_wanted() -> None:
    async def test(owner: Owner) -> None:
        dispatcher = owner.partition.dispatcher
        owner.broker.faults.lost_ack = 1.0
        for execution in ("e1", "e2"):
            dispatcher.add(dispatch(execution))
        dispatcher.flush()
        dispatcher.forget("e1")
        owner.broker.faults.lost_ack = 0.0
        await asyncio.sleep(10)

        assert [step.execution for step in sent(owner)] == ["e1", "e2"]

    owned(test)


def test_the_halves_of_a_batch_that_is_too_large_are_tried_each_for_its_own_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(owner: Owner) -> None:
        dispatcher = owner.partition.dispatcher
        owner.broker.faults.full_streams.add("STEPS")
        with monkeypatch.context() as small:
            small.setattr(codec, "MESSAGE_BYTES_MAX", 60)
            for execution in ("e1", "e2", "e3"):
                dispatcher.add(dispatch(execution))
            dispatcher.flush()
        dispatcher.forget("e2")
        owner.broker.faults.full_streams.clear()
        await asyncio.sleep(5)

        assert sorted(step.execution for step in sent(owner)) == ["e1", "e3"]

    owned(test)
