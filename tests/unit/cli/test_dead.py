"""`penstock dead`: reading the quarantine, and sending from it."""

import asyncio

import pytest

from penstock.cli.dead import read, send_again, show
from penstock.subjects.bus import Message
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.dead_letters import POISON, UNREADABLE, DeadLetter, bury, letter_of
from penstock.subjects.errors import PenstockError
from penstock.subjects.memory_broker import MemoryBroker
from penstock.subjects.streams import Budget, ensure

RUN = "exec.local.0.in.run"


async def quarantined(*letters: DeadLetter) -> MemoryBus:
    bus = MemoryBus(MemoryBroker())
    await ensure(bus, "local", Budget(file_bytes=1 << 30))
    for letter in letters:
        stored = asyncio.Event()
        bury(bus, "local", letter, stored.set)
        await stored.wait()
    return bus


def test_why_is_the_first_line_of_what_a_letter_tells(
    capsys: pytest.CaptureFixture[str],
) -> None:
    detail = "ValueError: too many\nTraceback (most recent call last):\n  File"
    show({3: DeadLetter(POISON, detail, "Resume", 0, b"x", "e1")})

    shown = capsys.readouterr().out
    assert "ValueError: too many" in shown
    assert "Traceback" not in shown


def test_a_letter_is_sent_again_to_where_it_came_from() -> None:
    async def main() -> None:
        letter = letter_of(Message(RUN, b"once unreadable", 5), UNREADABLE, "why")
        bus = await quarantined(letter)
        assert await read(bus) == {1: letter}

        await send_again(bus, await read(bus), 1)

        last = await bus.last("EXEC", RUN)
        assert last is not None
        assert last.payload == b"once unreadable"

    asyncio.run(main())


def test_what_came_from_no_stream_is_not_sent_and_says_what_to_do() -> None:
    async def main() -> None:
        bus = await quarantined(DeadLetter(POISON, "why", "StepResult", 0, b"\x90", "e1"))

        with pytest.raises(PenstockError, match="failed inside of its owner") as refused:
            await send_again(bus, await read(bus), 1)
        assert "retry" in refused.value.remedy
        with pytest.raises(PenstockError, match="no letter 2"):
            await send_again(bus, await read(bus), 2)

    asyncio.run(main())


def test_an_empty_quarantine_is_read_at_once() -> None:
    async def main() -> None:
        assert await read(await quarantined()) == {}

    asyncio.run(main())
