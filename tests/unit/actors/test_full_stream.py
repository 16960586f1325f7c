"""EXEC is full, and the owner is another than the one that filled it: it heals all the same."""

import asyncio

from penstock.actors.marks import mark_key
from penstock.actors.snapshot import Head
from penstock.actors.snapshotting import EARLY_S
from penstock.subjects.errors import StreamFullError
from tests.unit.actors.owner import Owner, ends, owned


async def history_has(owner: Owner, sequence: int) -> None:
    """The projector says so, and the owner hears it."""
    await owner.bus.bucket("marks").put(mark_key("local", 0), b"%d" % sequence)
    await asyncio.sleep(0.1)


async def takes_over(owner: Owner) -> bool:
    """Whether a new process can own the partition, within some tries."""
    for _ in range(5):
        try:
            await owner.take_over()
        except StreamFullError:
            owner.kill()
            await asyncio.sleep(0.2)
        else:
            return True
    return False


def fill(owner: Owner) -> None:
    """No room for anything more."""
    stream = owner.broker.stream("EXEC")
    stream.max_bytes = stream.bytes


async def snapshot_of(owner: Owner) -> Head:
    """What is in force."""
    head = await owner.partition.snapshotting.store.in_force()
    assert head is not None
    return head


async def run_and_keep(owner: Owner) -> None:
    """Some executions that a snapshot has, and one more that it has not."""
    for number in range(20):
        owner.run(f"e{number}", "called" if number == 0 else "inline")
    await asyncio.sleep(1)
    await owner.partition.snapshotting.save_now(owner.partition._position())
    owner.run("late", "called")
    await asyncio.sleep(1)


def test_who_finds_no_room_to_take_over_makes_some_once_the_history_allows_it() -> None:
    async def test(owner: Owner) -> None:
        await history_has(owner, 1)
        await run_and_keep(owner)
        owner.kill()
        fill(owner)
        stream = owner.broker.stream("EXEC")
        stored = stream.bytes
        assert not await takes_over(owner)
        assert stream.bytes == stored

        await history_has(owner, stream.last_sequence)

        assert await takes_over(owner)
        table = owner.partition.table
        assert set(table.active) | set(table.kept) == {"e0", "late"}

    owned(test)


def test_who_finds_no_room_removes_nothing_that_is_in_no_snapshot() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e0", "called")
        await asyncio.sleep(1)
        owner.kill()
        fill(owner)
        await history_has(owner, 1_000)
        assert not await takes_over(owner)

        owner.broker.stream("EXEC").max_bytes *= 2

        assert await takes_over(owner)
        assert set(owner.partition.table.active) == {"e0"}

    owned(test)


def test_a_new_owner_trims_by_the_snapshot_of_the_one_before() -> None:
    async def test(owner: Owner) -> None:
        await history_has(owner, 1)
        await run_and_keep(owner)
        owner.kill()
        await owner.take_over()
        owner.run("stuck", "inline")
        fill(owner)
        await asyncio.sleep(3)
        assert owner.partition.committer.waiting_reason

        await history_has(owner, owner.broker.stream("EXEC").last_sequence)
        await owner.partition.make_room()
        await asyncio.sleep(3)

        assert not owner.partition.committer.waiting_reason
        assert ends(owner)["stuck"] == "success"

    owned(test)


def test_a_new_owner_to_which_nothing_happens_puts_what_it_replayed_into_a_snapshot() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e0", "called")
        await asyncio.sleep(1)
        owner.kill()
        await owner.take_over()
        before = await snapshot_of(owner)
        await asyncio.sleep(EARLY_S)

        await owner.partition.make_room()
        await owner.partition.snapshotting.idle()

        assert before.journal_seq == 0
        assert (await snapshot_of(owner)).journal_seq == owner.partition.committer.sequence

    owned(test)
