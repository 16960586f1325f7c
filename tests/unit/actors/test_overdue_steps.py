"""Steps that stay unanswered: who is still in STEPS is waited for, who is lost is sent again."""

import asyncio

import msgspec

from penstock.actors.dispatch import STEPS
from penstock.actors.execution.effects import Dispatch
from penstock.actors.inbox import RESULTS
from penstock.subjects import names
from penstock.subjects.bus import Message, WorkSubscription
from penstock.subjects.messages import Outcome, Step, StepResult
from tests.unit.actors.owner import Owner, owned, sent

HOUR_S = 3_600


async def sandbox(owner: Owner, taken: list[Message]) -> WorkSubscription:
    """A sandbox host that takes one message."""
    work = await owner.bus.work("STEPS", "process", names.steps("local", "process"), taken.append)
    work.offer(1)
    await asyncio.sleep(1)
    return work


async def taken_out(owner: Owner) -> Step:
    """A step of e1 that a host took out of STEPS, and never answered."""
    taken: list[Message] = []
    owner.run("e1", "dispatched")
    work = await sandbox(owner, taken)
    work.ack(taken[0])
    (step,) = STEPS.decode(taken[0].payload)
    return step


def test_a_step_that_waits_for_a_host_for_hours_stands_in_the_queue_once() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "dispatched")
        await asyncio.sleep(6 * HOUR_S)

        assert [step.execution for step in sent(owner)] == ["e1"]
        assert owner.partition.dispatcher.resent == 0

    owned(test)


def test_a_step_whose_host_vanished_is_given_to_another_and_not_sent_again() -> None:
    async def test(owner: Owner) -> None:
        first: list[Message] = []
        second: list[Message] = []
        owner.run("e1", "dispatched")
        vanished = await sandbox(owner, first)
        vanished.close()
        await asyncio.sleep(2 * HOUR_S)

        await sandbox(owner, second)

        assert [message.sequence for message in first] == [message.sequence for message in second]
        assert owner.partition.dispatcher.resent == 0

    owned(test)


def test_a_step_that_was_taken_out_and_never_answered_is_sent_again() -> None:
    async def test(owner: Owner) -> None:
        await taken_out(owner)
        await asyncio.sleep(0.5 * HOUR_S)
        assert sent(owner) == []

        await asyncio.sleep(HOUR_S)

        assert [step.execution for step in sent(owner)] == ["e1"]
        assert owner.partition.dispatcher.resent == 1

    owned(test)


def test_a_lost_step_is_sent_again_though_older_ones_of_a_tier_without_hosts_wait() -> None:
    async def test(owner: Owner) -> None:
        taken: list[Message] = []
        older = Step("old", "main", "w", "plan", "webhook", 0, 0, 1, 0, [], [], {}, {}, 0, 0, 0)
        owner.partition.dispatcher.add(Dispatch("trusted", older))
        owner.partition.dispatcher.flush()
        owner.run("e1", "dispatched")
        work = await sandbox(owner, taken)
        work.ack(taken[0])

        await asyncio.sleep(2 * HOUR_S)

        assert [step.execution for step in sent(owner)] == ["e1"]
        assert len(owner.broker.stream("STEPS").messages) == 2

    owned(test)


def test_a_step_that_is_refused_for_hours_leaves_once() -> None:
    async def test(owner: Owner) -> None:
        owner.broker.faults.full_streams.add("STEPS")
        owner.run("e1", "dispatched")
        await asyncio.sleep(2 * HOUR_S)
        owner.broker.faults.full_streams.clear()
        await asyncio.sleep(2 * HOUR_S)

        assert [step.execution for step in sent(owner)] == ["e1"]

    owned(test)


def test_who_cannot_ask_what_became_of_a_step_asks_when_it_can() -> None:
    async def test(owner: Owner) -> None:
        await taken_out(owner)
        owner.bus.disconnect()
        await asyncio.sleep(2 * HOUR_S)
        assert owner.partition.dispatcher.resent == 0

        owner.bus.reconnect()
        await asyncio.sleep(5)

        assert [step.execution for step in sent(owner)] == ["e1"]

    owned(test)


def test_a_lost_step_is_made_again_of_its_execution_as_it_was() -> None:
    async def test(owner: Owner) -> None:
        step = await taken_out(owner)
        await asyncio.sleep(2 * HOUR_S)

        (again,) = sent(owner)

        assert again.now_ms > step.now_ms
        assert msgspec.structs.replace(again, now_ms=step.now_ms) == step

    owned(test)


def test_no_step_leaves_while_the_result_before_it_is_not_in_the_journal() -> None:
    async def test(owner: Owner) -> None:
        step = await taken_out(owner)
        result = StepResult("e1", step.seq, step.attempt, Outcome([[{"json": {}}]]), "sim", 0, 1)
        owner.append(names.done("local", 0), RESULTS.encode([result]))
        owner.broker.faults.full_streams.add("EXEC")
        await asyncio.sleep(2 * HOUR_S)
        assert sent(owner) == []

        owner.broker.faults.full_streams.clear()
        await asyncio.sleep(5)

        assert [after.seq for after in sent(owner)] == [step.seq + 2]

    owned(test)
