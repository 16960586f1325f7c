"""Who follows a stream gets all that matches, in order, from where it asked and until it closes.

Both buses keep these promises of `bus.py`, for large messages and for many, and call a batch hook
once for what came together.
"""

from penstock.subjects import names
from penstock.subjects.bus import Ack, Message
from tests.contract.bus_calls import JOURNAL, RUNS, append, payloads
from tests.contract.conftest import World, until


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
