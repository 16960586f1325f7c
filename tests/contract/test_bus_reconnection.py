"""A broker goes away and comes back: what it keeps is not lost or doubled, and clients go on.

Both buses keep these promises of `bus.py`, also where streams in memory are lost with the broker
and begin anew, with the sequences of the old. Outages that only a real broker has, such as one
that freezes, are in `tests/integration/test_bus_outages.py`.
"""

import asyncio

import pytest

from penstock.subjects import names
from penstock.subjects.bus import Message
from penstock.subjects.errors import BusError
from tests.contract.bus_calls import DONE, RUNS, STEPS, append, append_surely, emptied, payloads
from tests.contract.conftest import World, until


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
