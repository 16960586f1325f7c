"""What is appended to a stream is stored in order, once, and only for who knows what is there.

Both buses keep these promises of `bus.py`: how an append is answered and refused, and what the
stream holds after it, after a purge and after it is declared again.
"""

import pytest

from penstock.subjects import names
from penstock.subjects.bus import Ack, Message
from penstock.subjects.errors import BusError, StreamFullError, WrongLastSequenceError
from penstock.subjects.streams import StreamSpec, bucket
from tests.contract.bus_calls import JOURNAL, RUNS, append
from tests.contract.conftest import World, until


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


async def test_purge_removes_below_a_sequence_of_all_subjects_under_a_pattern(world: World) -> None:
    async with world.bus() as bus:
        for owner in ("a", "b", "c", "a"):
            await append(bus, f"exec.local.canary.{owner}", b"")
        await append(bus, JOURNAL, b"j")

        await bus.purge("EXEC", "exec.local.canary.*", before=3)

        lasts = [await bus.last("EXEC", f"exec.local.canary.{owner}") for owner in "abc"]
        assert [last and last.sequence for last in lasts] == [4, None, 3]
        assert (await bus.info("EXEC"))["messages"] == 3


async def test_declaring_again_changes_limits_and_keeps_what_is_stored(world: World) -> None:
    async with world.bus() as bus:
        spec = bucket("extra", 0)
        await bus.declare_stream(spec, 1 << 20)
        await bus.bucket("extra").put("a", b"1")

        await bus.declare_stream(spec, 2 << 20)

        entry = await bus.bucket("extra").get("a")
        assert entry is not None and entry.value == b"1"
