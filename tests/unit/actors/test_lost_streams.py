"""Streams in memory that begin anew with their broker, and look as long as before."""

import asyncio
from collections.abc import Awaitable, Callable

from penstock.actors.execution.effects import Dispatch
from penstock.actors.inbox import RESULTS
from penstock.actors.mailbox import Envelope
from penstock.subjects import names
from penstock.subjects.bus import Ack
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.messages import Outcome, Resume, StepResult
from tests.unit.actors.owner import Owner, owned, repair_slowly, sent


async def restart_broker(owner: Owner, stream: str, subject: str) -> None:
    """Lose a stream; others append to the new one before the owner can look at it."""
    owner.bus.disconnect()
    owner.broker.lose(stream)
    other = MemoryBus(owner.broker)
    for _ in range(5):
        other.append(subject, b"canary", lambda result: None)
    await asyncio.sleep(0.1)
    owner.bus.reconnect()
    await asyncio.sleep(1)
    await other.close()


def test_steps_lost_with_their_stream_are_sent_again_though_others_filled_the_new_one() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "dispatched")
        await asyncio.sleep(1)
        assert [step.execution for step in sent(owner)] == ["e1"]

        await restart_broker(owner, "STEPS", "step.local.canary-x")

        assert [step.execution for step in sent(owner)] == ["e1"]

    owned(test)


async def under_repair(owner: Owner, meanwhile: Callable[[], Awaitable[None]]) -> None:
    """Break and repair e1, and let something happen meanwhile."""
    repair_slowly(owner, 3)
    repairs = owner.partition.repairs
    repairs.on_broken("e1", Envelope(Resume("e1", [{"json": {}}])), RuntimeError("a bug"))
    await meanwhile()
    assert repairs.is_under_repair("e1")
    await asyncio.sleep(5)
    assert not repairs.is_under_repair("e1")


def test_a_step_that_is_lost_while_its_execution_is_repaired_is_sent_again_afterwards() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "dispatched")
        await asyncio.sleep(1)

        await under_repair(owner, lambda: restart_broker(owner, "STEPS", "step.local.canary-x"))

        assert [step.execution for step in sent(owner)] == ["e1"]

    owned(test)


def test_a_step_whose_turn_comes_while_its_execution_is_repaired_leaves_afterwards() -> None:
    async def test(owner: Owner) -> None:
        held: list[Dispatch] = []
        quotas = owner.partition.quotas
        may_send = quotas.may_send

        def keep(dispatch: Dispatch) -> bool:
            held.append(dispatch)
            return False

        quotas.may_send = keep  # type: ignore[method-assign]
        owner.run("e1", "dispatched")
        await asyncio.sleep(1)
        quotas.may_send = may_send  # type: ignore[method-assign]

        async def come() -> None:
            quotas.on_step(held[0])

        await under_repair(owner, come)

        assert [step.execution for step in sent(owner)] == ["e1"]

    owned(test)


def test_a_step_that_is_with_a_host_is_not_sent_again_by_a_repair() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "dispatched")
        await asyncio.sleep(1)

        await under_repair(owner, lambda: asyncio.sleep(1))

        assert len(sent(owner)) == 1

    owned(test)


def test_an_outage_that_loses_no_stream_sends_nothing_again() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "dispatched")
        await asyncio.sleep(1)

        owner.bus.disconnect()
        owner.bus.reconnect()
        await asyncio.sleep(1)

        assert len(sent(owner)) == 1

    owned(test)


def test_results_lost_with_their_stream_are_asked_for_again() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "dispatched")
        await asyncio.sleep(1)
        step = sent(owner)[0]
        result = StepResult("e1", step.seq, step.attempt + 7, Outcome([[]]), "sim", 0, 1)
        owner.bus.append(names.done("local", 0), RESULTS.encode([result]), _stored)
        await asyncio.sleep(1)

        await restart_broker(owner, "DONE", "done.local.canary")

        assert len(sent(owner)) == 2
        assert owner.partition.results.received == 0

    owned(test)


def answer_late(owner: Owner, late_s: float) -> None:
    """What the broker says of its streams is true when it is said, and takes a while to arrive."""
    info = owner.bus.info

    async def late(stream: str) -> dict[str, int]:
        answer = await info(stream)
        await asyncio.sleep(late_s)
        return answer

    owner.bus.info = late  # type: ignore[method-assign]


def put_result(owner: Owner, execution: str, *, is_late: bool = False) -> None:
    """A sandbox host answers the outstanding step, or (`is_late`) one that nobody waits for."""
    state = owner.partition.table.active[execution]
    attempt = state.attempt + 7 if is_late else state.attempt
    result = StepResult(execution, state.seq, attempt, Outcome([[{"json": {}}]]), "sim", 0, 1)
    owner.bus.append(names.done("local", 0), RESULTS.encode([result]), _stored)


def test_a_step_sent_while_it_is_asked_what_was_lost_has_nothing_sent_again() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "dispatched")
        await asyncio.sleep(1)
        answer_late(owner, 0.5)

        owner.bus.disconnect()
        owner.bus.reconnect()
        owner.run("e2", "dispatched")
        await asyncio.sleep(5)

        assert [step.execution for step in sent(owner)] == ["e1", "e2"]

    owned(test)


def test_a_result_that_arrives_while_it_is_asked_what_was_lost_has_nothing_sent_again() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "dispatched")
        owner.run("e2", "dispatched")
        await asyncio.sleep(1)
        answer_late(owner, 0.5)

        owner.bus.disconnect()
        owner.bus.reconnect()
        await asyncio.sleep(0.7)  # DONE has said what it holds
        put_result(owner, "e1")
        await asyncio.sleep(5)

        assert [step.execution for step in sent(owner)] == ["e1", "e2", "e1"]
        assert sent(owner)[0].seq != sent(owner)[2].seq

    owned(test)


def test_a_loss_is_noticed_though_the_connection_fails_again_before_the_answer() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "dispatched")
        await asyncio.sleep(1)
        for _ in range(3):
            put_result(owner, "e1", is_late=True)
        await asyncio.sleep(1)
        created = owner.broker.stream("DONE").created
        answer_late(owner, 0.5)

        owner.bus.disconnect()
        owner.broker.lose("DONE")
        owner.broker.stream("DONE").created = created  # as a cluster makes it again
        owner.bus.reconnect()
        put_result(owner, "e1", is_late=True)
        await asyncio.sleep(0.3)
        owner.bus.disconnect()
        owner.bus.reconnect()
        await asyncio.sleep(5)

        assert len(sent(owner)) == 2

    owned(test)


def test_what_the_new_stream_has_got_before_the_loss_is_known_is_not_sent_again() -> None:
    async def test(owner: Owner) -> None:
        owner.run("stored", "dispatched")
        await asyncio.sleep(1)
        owner.broker.faults.full_streams.add("STEPS")
        owner.run("refused", "dispatched")
        await asyncio.sleep(1)
        answer_late(owner, 1)

        owner.bus.disconnect()
        owner.broker.lose("STEPS")
        owner.broker.faults.full_streams.clear()
        owner.bus.reconnect()
        owner.run("new", "dispatched")
        await asyncio.sleep(5)

        assert sorted(step.execution for step in sent(owner)) == ["new", "refused", "stored"]

    owned(test)


def _stored(result: Ack | Exception) -> None:
    assert isinstance(result, Ack), result
