"""Dead letters: what is written of a message that nobody can handle."""

import asyncio

from penstock.subjects.bus import Message
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.codec import MESSAGE_BYTES_MAX
from penstock.subjects.dead_letters import UNREADABLE, bury, dead_letter, letter_of, poison_letter
from penstock.subjects.memory_broker import MemoryBroker
from penstock.subjects.streams import Budget, ensure


def test_the_same_message_is_buried_once_and_another_at_its_place_as_well() -> None:
    async def main() -> None:
        bus = MemoryBus(MemoryBroker())
        await ensure(bus, "local", Budget(file_bytes=1 << 30))
        for payload in (b"one", b"one", b"two"):
            stored = asyncio.Event()
            letter = letter_of(Message("step.local.process", payload, 7), UNREADABLE, "why")
            bury(bus, "local", letter, stored.set)
            await stored.wait()

        last = await bus.last("DEAD", "dead.local.undecodable")
        assert (await bus.info("DEAD"))["messages"] == 2
        assert last is not None
        assert dead_letter.decode(last.payload) == letter

    asyncio.run(main())


def test_a_message_that_leaves_no_room_for_a_letter_is_cut_off_and_says_so() -> None:
    message = Message("exec.local.0.in.run", bytes(MESSAGE_BYTES_MAX), 1)

    letter = letter_of(message, UNREADABLE, "why")

    assert len(dead_letter.encode(letter)) <= MESSAGE_BYTES_MAX
    assert letter.detail == f"(cut off; it has {MESSAGE_BYTES_MAX} bytes) why"


def test_poison_of_any_size_and_with_any_text_becomes_a_letter() -> None:
    letter = poison_letter("e1", "RunRequest", bytes(MESSAGE_BYTES_MAX), "half \ud800 a pair" * 999)

    assert len(dead_letter.encode(letter)) <= MESSAGE_BYTES_MAX
    assert letter.detail.startswith(f"(cut off; it has {MESSAGE_BYTES_MAX} bytes) half ? a pair")
