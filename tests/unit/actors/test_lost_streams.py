"""Streams in memory that begin anew with their broker, and look as long as before."""

import asyncio

from penstock.actors.dispatch import STEPS
from penstock.actors.inbox import RESULTS
from penstock.subjects import names
from penstock.subjects.bus import Ack
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.messages import Outcome, Step, StepResult
from tests.unit.actors.owner import Owner, owned


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


def sent(owner: Owner) -> list[Step]:
    """The steps that STEPS holds."""
    subject = names.steps("local", "process")
    stored = owner.broker.stream("STEPS").since(1, subject)
    return [step for each in stored for step in STEPS.decode(each.message.payload)]


def test_steps_lost_with_their_stream_are_sent_again_though_others_filled_the_new_one() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "dispatched")
        await asyncio.sleep(1)
        assert [step.execution for step in sent(owner)] == ["e1"]

        await restart_broker(owner, "STEPS", "step.local.canary-x")

        assert [step.execution for step in sent(owner)] == ["e1"]

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


def _stored(result: Ack | Exception) -> None:
    assert isinstance(result, Ack), result
