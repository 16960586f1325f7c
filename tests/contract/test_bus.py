"""Both buses keep the promises of `bus.py`."""

import asyncio

import pytest

from penstock.subjects import names
from penstock.subjects.bus import Ack, Bus, KvEntry, Message
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.errors import BusError, StreamFullError, WrongLastSequenceError
from penstock.subjects.streams import ConsumerSpec, StreamSpec, bucket
from tests.contract.conftest import World, until

RUNS = names.runs("local", 0)
JOURNAL = names.journal("local", 0)
STEPS = names.steps("local", "trusted")
DONE = names.done("local", 0)


async def append(
    bus: Bus, subject: str, payload: bytes, message_id: str = "", expected: int | None = None
) -> Ack:
    """Append and wait; raise what was answered instead of an acknowledgement."""
    answered: asyncio.Future[Ack | Exception] = asyncio.get_running_loop().create_future()
    bus.append(subject, payload, answered.set_result, message_id=message_id, expected_last=expected)
    answer = await answered
    if isinstance(answer, Exception):
        raise answer
    return answer


async def append_surely(bus: Bus, subject: str, payload: bytes, message_id: str) -> Ack:
    """Append under one id until it is acknowledged."""
    while True:
        try:
            return await append(bus, subject, payload, message_id)
        except BusError:
            await asyncio.sleep(0.01)


async def emptied(bus: Bus, stream: str) -> None:
    async with asyncio.timeout(5):
        while (await bus.info(stream))["messages"]:  # noqa: ASYNC110 - the broker tells nobody
            await asyncio.sleep(0.01)


def payloads(messages: list[Message]) -> list[bytes]:
    return [message.payload for message in messages]


async def test_appends_are_stored_in_order_and_acknowledged_with_their_sequence(
    world: World,
) -> None:
    async with world.bus() as bus:
        acks = [await append(bus, RUNS, b"%d" % n) for n in range(3)]

        assert acks == [Ack(1), Ack(2), Ack(3)]
        assert (await bus.info("EXEC"))["messages"] == 3


async def test_an_append_is_not_answered_inside_the_call(world: World) -> None:
    async with world.bus() as bus:
        answers: list[Ack | Exception] = []

        bus.append(RUNS, b"", answers.append)

        assert answers == []
        await until(lambda: answers == [Ack(1)])


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


async def test_a_message_id_is_stored_once(world: World) -> None:
    async with world.bus() as bus:
        first = await append(bus, RUNS, b"a", "batch-1")
        again = await append(bus, RUNS, b"a", "batch-1")
        other = await append(bus, RUNS, b"b", "batch-2")

        assert (first, again, other) == (Ack(1), Ack(1, duplicate=True), Ack(2))


async def test_compare_and_set_refuses_a_stale_writer(world: World) -> None:
    async with world.bus() as bus:
        await append(bus, JOURNAL, b"first", expected=0)
        await append(bus, RUNS, b"another subject of the stream")

        with pytest.raises(WrongLastSequenceError):
            await append(bus, JOURNAL, b"stale", expected=0)
        assert await append(bus, JOURNAL, b"second", expected=1) == Ack(3)


async def test_a_retried_compare_and_set_is_refused_although_it_was_stored(world: World) -> None:
    async with world.bus() as bus:
        await append(bus, JOURNAL, b"first", "r-1", expected=0)

        with pytest.raises(WrongLastSequenceError):
            await append(bus, JOURNAL, b"first", "r-1", expected=0)
        assert await bus.last("EXEC", JOURNAL) == Message(JOURNAL, b"first", 1)


async def test_a_subject_without_stream_is_an_error(world: World) -> None:
    async with world.bus() as bus:
        with pytest.raises(BusError):
            await append(bus, "exec.elsewhere.0.in.run", b"")


async def test_a_full_stream_refuses_and_takes_again_after_a_purge(world: World) -> None:
    async with world.bus() as bus:
        await bus.declare_stream(StreamSpec(name="SMALL", subjects=("small.*",), share=0), 4096)
        for _ in range(3):
            await append(bus, "small.a", b"x" * 1000)

        with pytest.raises(StreamFullError):
            await append(bus, "small.a", b"x" * 1500)
        await bus.purge("SMALL", "small.a", before=2)
        await append(bus, "small.a", b"x" * 100)


async def test_follow_delivers_what_was_and_what_comes(world: World) -> None:
    async with world.bus() as bus:
        for n in range(3):
            await append(bus, RUNS, b"%d" % n)
        followed: list[Message] = []

        bus.follow("EXEC", RUNS, 2, followed.append)
        await until(lambda: len(followed) == 2)
        await append(bus, RUNS, b"3")
        await until(lambda: len(followed) == 3)

        assert followed == [Message(RUNS, b"%d" % n, n + 1) for n in (1, 2, 3)]


async def test_follow_sees_only_its_filter(world: World) -> None:
    async with world.bus() as bus:
        followed: list[Message] = []
        bus.follow("EXEC", names.partition_all("local", 0), 1, followed.append)

        await append(bus, RUNS, b"mine")
        await append(bus, names.runs("local", 10), b"another's")
        await append(bus, JOURNAL, b"mine too")

        await until(lambda: len(followed) == 2)
        assert [(m.subject, m.sequence) for m in followed] == [(RUNS, 1), (JOURNAL, 3)]


async def test_follow_crosses_many_batches_in_order(world: World) -> None:
    async with world.bus() as bus:
        answers: list[Ack | Exception] = []
        for n in range(2500):
            bus.append(names.done("local", 1), b"%d" % n, answers.append)
        followed: list[Message] = []

        bus.follow("DONE", names.done("local", 1), 1, followed.append)

        await until(lambda: len(followed) == 2500)
        assert payloads(followed) == [b"%d" % n for n in range(2500)]
        assert all(isinstance(answer, Ack) for answer in answers)


async def test_a_closed_subscription_delivers_nothing_more(world: World) -> None:
    async with world.bus() as bus:
        closed: list[Message] = []
        still_open: list[Message] = []
        subscription = bus.follow("EXEC", RUNS, 1, closed.append)
        bus.follow("EXEC", RUNS, 1, still_open.append)
        await append(bus, RUNS, b"0")
        await until(lambda: closed and still_open)

        subscription.close()
        await append(bus, RUNS, b"1")

        await until(lambda: len(still_open) == 2)
        assert payloads(closed) == [b"0"]


async def test_large_messages_pass(world: World) -> None:
    async with world.bus() as bus:
        followed: list[Message] = []
        bus.follow("EXEC", RUNS, 1, followed.append)
        large = bytes(range(256)) * 16384

        await append(bus, RUNS, large)
        await append(bus, RUNS, b"\r\nMSG after\r\n")

        await until(lambda: len(followed) == 2)
        assert payloads(followed) == [large, b"\r\nMSG after\r\n"]


async def test_batch_hooks_run_once_after_what_came_together(world: World) -> None:
    async with world.bus() as bus:
        seen: list[int] = []
        arrived: list[Message] = []
        for n in range(50):
            await append(bus, names.done("local", 0), b"%d" % n)

        def hook() -> None:
            if arrived and seen[-1:] != [len(arrived)]:
                seen.append(len(arrived))

        bus.on_batch(hook)
        bus.follow("DONE", names.done("local", 0), 1, arrived.append)
        await until(lambda: seen[-1:] == [50])

        assert len(seen) < 25


async def test_last_is_the_newest_of_one_subject(world: World) -> None:
    async with world.bus() as bus:
        await append(bus, JOURNAL, b"1")
        await append(bus, JOURNAL, b"2")
        await append(bus, RUNS, b"3")

        assert await bus.last("EXEC", JOURNAL) == Message(JOURNAL, b"2", 2)
        assert await bus.last("EXEC", names.journal("local", 1)) is None


async def test_purge_removes_below_a_sequence_of_one_subject(world: World) -> None:
    async with world.bus() as bus:
        for n in range(4):
            await append(bus, RUNS, b"%d" % n)
            await append(bus, JOURNAL, b"j")

        await bus.purge("EXEC", RUNS, before=5)

        followed: list[Message] = []
        bus.follow("EXEC", names.partition_all("local", 0), 1, followed.append)
        await until(lambda: len(followed) == 6)
        assert [m.sequence for m in followed if m.subject == RUNS] == [5, 7]


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


async def test_a_bucket_keeps_the_last_value_and_its_revision(world: World) -> None:
    async with world.bus() as bus:
        plans = bus.bucket("plans")

        first = await plans.put("main.a", b"1")
        second = await plans.update("main.a", b"2", first)
        with pytest.raises(WrongLastSequenceError):
            await plans.update("main.a", b"3", first)
        with pytest.raises(WrongLastSequenceError):
            await plans.create("main.a", b"3")

        assert await plans.get("main.a") == KvEntry("main.a", b"2", second)
        assert await plans.get("main.b") is None


async def test_a_value_that_no_message_holds_is_refused_without_losing_the_connection(
    world: World,
) -> None:
    async with world.bus() as bus:
        if isinstance(bus, MemoryBus):
            pytest.skip("a process has no largest message")

        with pytest.raises(BusError, match="more than the broker takes"):
            await bus.bucket("plans").put("k", bytes(40 << 20))

        assert bus.is_connected
        assert await bus.bucket("plans").put("k", b"v")


async def test_a_deleted_key_is_absent_and_can_be_created_again(world: World) -> None:
    async with world.bus() as bus:
        plans = bus.bucket("plans")
        await plans.create("k", b"1")

        await plans.delete("k")
        assert await plans.get("k") is None
        await plans.create("k", b"2")

        entry = await plans.get("k")
        assert entry is not None and entry.value == b"2"


async def test_watch_tells_the_present_then_a_mark_then_changes(world: World) -> None:
    async with world.bus() as bus:
        routes = bus.bucket("routes")
        await routes.put("a", b"1")
        await routes.put("gone", b"1")
        await routes.delete("gone")
        await routes.put("b", b"1")

        watch = aiter(routes.watch())
        present = [await anext(watch) for _ in range(3)]
        await routes.put("a", b"2")
        await routes.delete("b")
        changes = [await anext(watch) for _ in range(2)]

        assert [e and (e.key, e.value) for e in present] == [("a", b"1"), ("b", b"1"), None]
        assert [e and (e.key, e.value) for e in changes] == [("a", b"2"), ("b", None)]


async def test_watch_of_an_empty_bucket_tells_the_mark_at_once(world: World) -> None:
    async with world.bus() as bus:
        watch = aiter(bus.bucket("hosts").watch())

        assert await anext(watch) is None


async def test_an_outage_is_told_and_appends_fail_until_it_ends(world: World) -> None:
    async with world.bus() as bus:
        told: list[bool] = []
        bus.on_connection(told.append)
        await append(bus, RUNS, b"before")

        await world.lose(bus)
        with pytest.raises(BusError):
            await append(bus, RUNS, b"during")
        bus.publish("tap.main.w.e.started", b"dropped")
        await world.restore(bus)
        await append_surely(bus, RUNS, b"after", "after")

        assert told == [False, True]
        assert bus.is_connected


async def test_follow_goes_on_after_an_outage_without_gap_or_repetition(world: World) -> None:
    async with world.bus() as bus:
        followed: list[Message] = []
        bus.follow("EXEC", RUNS, 1, followed.append)
        for n in range(100):
            await append_surely(bus, RUNS, b"%d" % n, f"a-{n}")

        await world.lose(bus)
        await world.restore(bus)
        for n in range(100, 150):
            await append_surely(bus, RUNS, b"%d" % n, f"a-{n}")

        await until(lambda: len(followed) >= 150)
        assert payloads(followed) == [b"%d" % n for n in range(150)]


async def test_follow_reads_a_stream_in_memory_from_its_new_beginning(world: World) -> None:
    async with world.bus() as bus:
        done = names.done("local", 0)
        followed: list[Message] = []
        bus.follow("DONE", done, 1, followed.append)
        for n in range(20):
            await append_surely(bus, done, b"before", f"b-{n}")
        await until(lambda: len(followed) == 20)

        await world.lose(bus)
        await world.restore(bus)
        await append_surely(bus, done, b"after", "after")

        await until(lambda: len(followed) > 20)
        assert payloads(followed[20:]) == [b"after"]


async def test_a_stream_that_began_anew_is_told_from_the_one_before(world: World) -> None:
    async with world.bus() as bus:
        await append(bus, STEPS, b"before")
        before = (await bus.info("STEPS"))["created"]
        assert (await bus.info("STEPS"))["created"] == before > 0

        await world.begin_anew(bus, "STEPS")
        for number in range(3):
            await append(bus, STEPS, b"%d" % number)

        about = await bus.info("STEPS")
        assert about["created"] != before
        assert about["last"] == 3


async def test_who_follows_a_stream_that_is_lost_with_its_broker_reads_the_new_one(
    world: World,
) -> None:
    async with world.bus() as bus:
        followed: list[bytes] = []
        bus.follow("DONE", DONE, 1, lambda message: followed.append(message.payload))
        for number in range(3):
            await append(bus, DONE, b"old %d" % number)
        await until(lambda: len(followed) == 3)

        await world.lose(bus)
        await world.restore(bus)
        await append(bus, DONE, b"new")

        await until(lambda: followed[3:] == [b"new"])


async def test_an_outage_amid_a_stream_of_appends_loses_and_doubles_nothing(
    world: World,
) -> None:
    async with world.bus() as bus:
        followed: list[Message] = []
        bus.follow("EXEC", RUNS, 1, followed.append)
        writers = [
            asyncio.create_task(append_surely(bus, RUNS, b"%d" % n, f"m-{n}")) for n in range(500)
        ]
        await until(lambda: len(followed) > 20)

        await world.lose(bus)
        await world.restore(bus)
        await asyncio.gather(*writers)

        await until(lambda: len(followed) >= 500)
        assert sorted(int(m.payload) for m in followed) == list(range(500))
        assert [m.sequence for m in followed] == list(range(1, 501))


async def test_subscriptions_watches_and_workers_survive_an_outage(world: World) -> None:
    async with world.bus() as bus:
        heard: list[Message] = []
        bus.subscribe("hb.>", heard.append)
        taken: list[Message] = []
        work = await bus.work("STEPS", "trusted", STEPS, taken.append)
        work.offer(1)
        watch = aiter(bus.bucket("routes").watch())
        assert await anext(watch) is None

        await world.lose(bus)
        await world.restore(bus)

        bus.publish("hb.actors.a", b"alive")
        await append_surely(bus, STEPS, b"step", "s-1")
        await bus.bucket("routes").put("a", b"1")
        await until(lambda: heard and taken)
        entry = await anext(watch)
        assert entry is not None and entry.key == "a"


async def test_what_is_said_of_work_of_a_lost_stream_touches_no_work_of_the_new_one(
    world: World,
) -> None:
    async with world.bus() as bus:
        taken: list[Message] = []
        work = await bus.work("STEPS", "trusted", STEPS, taken.append)
        work.offer(2)
        for n in range(2):
            await append(bus, STEPS, b"old %d" % n)
        await until(lambda: len(taken) == 2)

        await world.lose(bus)
        await world.restore(bus)
        for n in range(2):
            await append_surely(bus, STEPS, b"new %d" % n, f"new-{n}")
        work.offer(1)
        await until(lambda: len(taken) == 3)
        for old in taken[:2]:  # of the same sequences as one that is out and one that waits
            work.ack(old)

        work.nak(taken[2])
        work.offer(2)
        await until(lambda: len(taken) == 5)
        assert sorted(payloads(taken[3:])) == [b"new 0", b"new 1"]


async def test_work_that_is_acknowledged_during_an_outage_does_not_come_again(
    world: World,
) -> None:
    async with world.bus() as bus:
        taken: list[Message] = []
        work = await bus.work("STEPS", "trusted", STEPS, taken.append)
        work.offer(1)
        await append(bus, STEPS, b"done")
        await until(lambda: taken)

        await world.interrupt(bus)
        work.ack(taken[0])
        await world.resume(bus)

        await emptied(bus, "STEPS")
        assert payloads(taken) == [b"done"]


async def test_declaring_again_changes_limits_and_keeps_what_is_stored(world: World) -> None:
    async with world.bus() as bus:
        spec = bucket("extra", 0)
        await bus.declare_stream(spec, 1 << 20)
        await bus.bucket("extra").put("a", b"1")

        await bus.declare_stream(spec, 2 << 20)

        entry = await bus.bucket("extra").get("a")
        assert entry is not None and entry.value == b"1"
