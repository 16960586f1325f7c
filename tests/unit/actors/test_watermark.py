"""What is done beyond the watermark is done once, however much it is and whoever owns it next."""

import asyncio
from collections import Counter

from penstock.actors.execution.events import Started
from penstock.actors.journal import Happened
from penstock.actors.table import ENDED_MAX
from penstock.subjects import names
from tests.unit.actors.owner import Owner, owned

COUNT = ENDED_MAX + 200


async def hold_the_watermark(owner: Owner) -> None:
    """An input that can be neither read nor put into quarantine: nothing after it is passed."""
    owner.broker.faults.full_streams.add("DEAD")
    owner.append(names.runs("local", 0), b"\x01junk")
    await asyncio.sleep(0.5)


def starts(owner: Owner) -> Counter[str]:
    """How often each execution was started."""
    return Counter(
        entry.execution
        for entry in owner.journal()
        if isinstance(entry, Happened) and isinstance(entry.events[0], Started)
    )


def test_a_new_owner_starts_nothing_again_however_much_is_beyond_the_watermark() -> None:
    async def test(owner: Owner) -> None:
        await hold_the_watermark(owner)
        for number in range(COUNT):
            owner.run(f"x{number}", "inline")
        await asyncio.sleep(2)
        assert len(starts(owner)) == COUNT
        owner.kill()
        await owner.take_over()
        await asyncio.sleep(2)

        assert set(starts(owner).values()) == {1}

    owned(test)


def test_nor_does_the_owner_after_that_one_which_begins_with_a_snapshot() -> None:
    async def test(owner: Owner) -> None:
        await hold_the_watermark(owner)
        owner.run("first", "inline")
        await asyncio.sleep(1)
        owner.kill()
        await owner.take_over()
        for number in range(COUNT):
            owner.run(f"x{number}", "inline")
        await asyncio.sleep(2)
        for _ in range(2):
            await owner.partition.release()
            await owner.take_over()
            await asyncio.sleep(1)

        counted = starts(owner)
        assert set(counted.values()) == {1}
        assert len(counted) == COUNT + 1

    owned(test)
