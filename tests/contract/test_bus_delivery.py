"""Who a message reaches: every subscriber, one of a queue, who replies, or one worker with a slot.

Both buses keep these promises of `bus.py`: a message that is not stored is heard by whoever
listens, or its sender is told that nobody does; work is one worker's until it is acknowledged,
refused, or left lying.
"""

import asyncio

import pytest

from penstock.subjects.bus import Message
from penstock.subjects.errors import BusError
from penstock.subjects.streams import ACK_WAIT_S, ConsumerSpec, StreamSpec
from tests.contract.bus_calls import STEPS, append, emptied, payloads
from tests.contract.conftest import World, until


async def test_core_messages_reach_every_subscriber_and_one_of_a_queue(world: World) -> None:
    async with world.bus() as bus:
        plain: list[Message] = []
        queued: list[Message] = []
        bus.subscribe("tap.main.>", plain.append)
        bus.subscribe("tap.*.w.>", queued.append, queue="q")
        bus.subscribe("tap.*.w.>", queued.append, queue="q")

        for _ in range(10):
            bus.publish("tap.main.w.e.started", b"hello")

        await until(lambda: len(plain) == 10 and len(queued) == 10)
        assert plain[0] == Message("tap.main.w.e.started", b"hello")


async def test_an_offer_is_delivered_or_the_sender_hears_that_nobody_listens(
    world: World,
) -> None:
    async with world.bus() as bus:
        heard: list[Message] = []
        refused: list[str] = []
        subscription = bus.subscribe("run.local.0", heard.append)

        bus.offer("run.local.1", b"", lambda: refused.append("elsewhere"))
        bus.offer("run.local.0", b"first", lambda: refused.append("first"))
        await until(lambda: payloads(heard) == [b"first"] and refused == ["elsewhere"])

        subscription.close()
        bus.offer("run.local.0", b"late", lambda: refused.append("late"))
        await until(lambda: refused == ["elsewhere", "late"])
        assert payloads(heard) == [b"first"]


async def test_a_request_is_answered_by_whoever_replies(world: World) -> None:
    async with world.bus() as bus:
        bus.subscribe("ask.local.0.lease", lambda m: bus.publish(m.reply, b"granted " + m.payload))

        assert await bus.request("ask.local.0.lease", b"5") == b"granted 5"


async def test_a_request_to_nobody_fails(world: World) -> None:
    async with world.bus() as bus:
        with pytest.raises(BusError):
            await bus.request("ask.local.1.lease", b"", timeout_s=1)


async def test_work_comes_only_into_offered_slots_and_to_one_worker(world: World) -> None:
    async with world.bus() as bus:
        taken: list[Message] = []
        work = await bus.work("STEPS", "trusted", STEPS, taken.append)
        other: list[Message] = []
        idle = await bus.work("STEPS", "trusted", STEPS, other.append)
        for n in range(5):
            await append(bus, STEPS, b"%d" % n)
        assert taken == []

        work.offer(2)
        await until(lambda: len(taken) == 2)
        idle.offer(10)
        await until(lambda: len(other) == 3)

        assert sorted(payloads(taken + other)) == [b"%d" % n for n in range(5)]


async def test_acknowledged_work_is_gone_and_refused_work_comes_again(world: World) -> None:
    async with world.bus() as bus:
        taken: list[Message] = []
        work = await bus.work("STEPS", "trusted", STEPS, taken.append)
        work.offer(1)
        await append(bus, STEPS, b"step")
        await until(lambda: len(taken) == 1)

        work.nak(taken[0])
        work.offer(1)
        await until(lambda: len(taken) == 2)
        work.ack(taken[1])

        assert payloads(taken) == [b"step", b"step"]
        await emptied(bus, "STEPS")


async def test_a_worker_that_is_closed_gives_back_what_it_holds_to_another(world: World) -> None:
    async with world.bus() as bus:
        taken: list[Message] = []
        again: list[Message] = []
        closing = await bus.work("STEPS", "trusted", STEPS, taken.append)
        closing.offer(2)  # and so would be the first to be given it again
        await append(bus, STEPS, b"job")
        await until(lambda: len(taken) == 1)
        other = await bus.work("STEPS", "trusted", STEPS, again.append)
        other.offer(1)

        closing.close()
        closing.nak(taken[0])

        async with asyncio.timeout(ACK_WAIT_S / 2):  # so it was not the broker who missed it
            await until(lambda: payloads(again) == [b"job"])


async def test_work_of_a_silent_worker_goes_to_another_and_progress_keeps_it(
    world: World,
) -> None:
    async with world.bus() as bus:
        await bus.declare_stream(
            StreamSpec(name="JOBS", subjects=("jobs.*",), share=0, retention="workqueue"), 1 << 20
        )
        await bus.declare_consumer(
            ConsumerSpec(stream="JOBS", name="jobs", subject="jobs.a", ack_wait_s=0.6)
        )
        kept: list[Message] = []
        keeper = await bus.work("JOBS", "jobs", "jobs.a", kept.append)
        keeper.offer(2)
        await append(bus, "jobs.a", b"kept")
        await append(bus, "jobs.a", b"dropped")
        await until(lambda: len(kept) == 2)
        got: list[Message] = []
        other = await bus.work("JOBS", "jobs", "jobs.a", got.append)
        other.offer(2)

        def keep_at_it() -> bool:
            keeper.progress(kept[0])
            return bool(got)

        await until(keep_at_it)

        assert payloads(got) == [b"dropped"]


async def test_a_work_queue_holds_a_message_until_it_is_done(world: World) -> None:
    async with world.bus() as bus:
        taken: list[Message] = []
        first, second = [await append(bus, STEPS, payload) for payload in (b"a", b"b")]
        work = await bus.work("STEPS", "trusted", STEPS, taken.append)
        work.offer(1)
        await until(lambda: payloads(taken) == [b"a"])
        assert await bus.holds("STEPS", first.sequence)

        work.ack(taken[0])

        async with asyncio.timeout(5):
            while await bus.holds("STEPS", first.sequence):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        assert await bus.holds("STEPS", second.sequence)
        assert not await bus.holds("STEPS", second.sequence + 1)
