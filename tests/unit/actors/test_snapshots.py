"""Snapshots whose writing goes wrong: the next one is written all the same, and by the owner."""

import asyncio
from typing import Any

import pytest

from penstock.actors.journal import RUNS, Saved
from penstock.actors.snapshot import HEAD, Head, Rest, Snapshot, SnapshotStore, split
from penstock.actors.snapshotting import TRANSITIONS, Position, Snapshotting
from penstock.actors.table import Table, pack
from penstock.subjects import names
from penstock.subjects.bus import OnAck
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.codec import MESSAGE_BYTES_MAX
from penstock.subjects.errors import BusError, PenstockError, WrongLastSequenceError
from penstock.subjects.messages import Item, Reply, RunRequest, TenantLimits
from penstock.workflow.document import content_hash
from tests.simulation.workflows import ALL
from tests.unit.actors.owner import Owner, owned

HEAD_SUBJECT = names.snapshot_head("local", 0)


class DeafBus:
    """A bus that loses the acknowledgement of the next head."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self.has_lost = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    def append(self, subject: str, payload: bytes, on_ack: OnAck, **options: Any) -> None:
        if subject == HEAD_SUBJECT and not self.has_lost:
            self.has_lost = True
            self._bus.append(subject, payload, lambda _: on_ack(BusError("lost")), **options)
        else:
            self._bus.append(subject, payload, on_ack, **options)


def a_head(epoch: int) -> Any:
    """What `SnapshotStore.save` calls when the chunks are stored."""

    def finish(generation: str, chunks: int) -> Head:
        return Head(generation, chunks, epoch, 1, 1, 0, Rest())

    return finish


async def epoch_in_force(owner: Owner) -> int:
    """The epoch of the newest snapshot."""
    message = await owner.bus.last("SNAP", HEAD_SUBJECT)
    assert message is not None
    return HEAD.decode(message.payload).epoch


def subjects(owner: Owner) -> int:
    """How many subjects of the partition SNAP holds."""
    return len(owner.broker.stream("SNAP").since(1, "snap.local.0.>"))


def test_after_the_lost_acknowledgement_of_a_head_the_next_snapshot_is_written() -> None:
    async def test(owner: Owner) -> None:
        store = SnapshotStore(DeafBus(owner.bus), "local", 0)
        await store.load()
        with pytest.raises(BusError):
            await store.save(Snapshot(Table()), a_head(1))
        for epoch in (2, 3):
            await store.save(Snapshot(Table()), a_head(epoch))
            assert await epoch_in_force(owner) == epoch
        assert subjects(owner) == 2  # the head and its one chunk: nothing is left of the others

    owned(test)


def test_what_a_crash_during_a_snapshot_left_goes_with_the_next_one() -> None:
    async def test(owner: Owner) -> None:
        for number in range(3):
            owner.append(names.snapshot_chunk("local", 0, "crashed", number), b"left")
            owner.append(names.snapshot_chunk("local", 1, "others", number), b"not ours")
        await asyncio.sleep(1)

        store = SnapshotStore(owner.bus, "local", 0)
        await store.load()
        await store.save(Snapshot(Table()), a_head(1))

        assert subjects(owner) == 2
        assert len(owner.broker.stream("SNAP").since(1, "snap.local.1.>")) == 3
        assert await SnapshotStore(owner.bus, "local", 0).load() is not None

    owned(test)


def test_a_snapshot_that_lacks_a_chunk_for_good_is_told_and_not_asked_for_for_ever() -> None:
    async def test(owner: Owner) -> None:
        store = SnapshotStore(owner.bus, "local", 0)
        await store.load()
        head = await store.save(Snapshot(Table()), a_head(1))
        await owner.bus.purge("SNAP", names.snapshot_chunk("local", 0, head.generation, 0))

        with pytest.raises(PenstockError, match="lacks 1 of its 1 chunks"):
            await SnapshotStore(owner.bus, "local", 0).load()

    owned(test)


def test_an_owner_before_cannot_put_its_snapshot_in_force_after_a_takeover() -> None:
    async def test(owner: Owner) -> None:
        before = SnapshotStore(owner.bus, "local", 0)
        await before.load()
        await before.save(Snapshot(Table()), a_head(1))
        after = SnapshotStore(owner.bus, "local", 0)
        await after.fence(2)
        await after.load()
        await after.save(Snapshot(Table()), a_head(2))

        with pytest.raises(WrongLastSequenceError):
            await before.save(Snapshot(Table()), a_head(1))
        assert await epoch_in_force(owner) == 2

    owned(test)


def test_a_snapshot_begun_before_a_takeover_is_refused_after_it() -> None:
    async def test(owner: Owner) -> None:
        frozen = owner.partition
        owner.shared.close()
        for _ in range(2):  # with and without a snapshot before
            owner.run("e1", "called")
            await asyncio.sleep(1)
            await owner.take_over()
            in_force = await owner.bus.last("SNAP", HEAD_SUBJECT)
            await frozen.snapshotting.save_now(frozen._position())
            assert await owner.bus.last("SNAP", HEAD_SUBJECT) == in_force

            await owner.partition.release()
            frozen = owner.partition
        frozen.close()

    owned(test)


def test_who_was_overtaken_while_taking_over_does_not_begin_with_a_later_owners_snapshot() -> None:
    async def test(owner: Owner) -> None:
        slow, quick = (SnapshotStore(owner.bus, "local", 0) for _ in range(2))
        await slow.fence(3)
        await quick.fence(4)

        with pytest.raises(WrongLastSequenceError):
            await slow.load()
        with pytest.raises(WrongLastSequenceError):
            await slow.fence(3)
        assert await epoch_in_force(owner) == 4

    owned(test)


@pytest.mark.parametrize("most", [-1, 0])
def test_many_large_executions_are_more_than_one_chunk(most: int) -> None:
    """Open ones and, where the tenant may run none, held ones."""

    async def test(owner: Owner) -> None:
        owner.signal(TenantLimits("main", concurrency=most))
        owner.run("first", "called")
        await asyncio.sleep(3)
        for number in range(40):
            items: list[Item] = [{"json": {"text": "x" * 1_000_000}}]
            plan = content_hash(ALL["called"])
            request = RunRequest(f"e{number}", "main", "called", plan, "", "webhook", items, 0)
            owner.append(names.runs("local", 0), RUNS.encode([request]))
            await asyncio.sleep(0.1)
        await owner.partition.release()
        assert subjects(owner) > 40

        await owner.take_over()
        table = owner.partition.table
        assert len(table) == 41
        assert len(table.held) == (40 if most == 0 else 0)

    owned(test)


def test_an_execution_that_no_message_could_hold_does_not_keep_others_from_being_kept() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e0", "called")
        owner.run("e1", "called")
        await asyncio.sleep(1)
        state = owner.partition.table.active["e0"]
        state.contexts = {number: {"text": str(number) * 10_000_000} for number in range(4)}
        before = pack(state).state
        assert len(before) > MESSAGE_BYTES_MAX
        await owner.partition.release()

        await owner.take_over()

        kept = owner.partition.table.kept
        assert sorted(kept) == ["e0", "e1"]
        assert kept["e0"].state == before

    owned(test)


def test_what_no_head_could_hold_beside_the_executions_comes_back() -> None:
    async def test(owner: Owner) -> None:
        await owner.take_over()
        partition = owner.partition
        answers = {f"r{n}": Reply(n, f"r{n}", 200, {}, b"x" * 8_000_000) for n in range(5)}
        beyond = [f"beyond-{number}" for number in range(60_000)]
        rest = Rest(
            ended=["gone"],
            beyond=beyond,
            replies=[(execution, "test", reply) for execution, reply in answers.items()],
            static=[(n, Saved("main", f"w{n}", 1, {"text": "x" * 1_000_000})) for n in range(5)],
            actors={"tenants": list(range(1_000))},
        )
        store = partition.snapshotting.store
        held_by_head, parts = split(rest)

        def finish(generation: str, chunks: int) -> Head:
            return Head(generation, chunks, 5, 1, 1, 0, held_by_head)

        await store.save(Snapshot(Table(), parts), finish)
        loaded = await SnapshotStore(owner.bus, "local", 0).load()

        assert loaded is not None
        assert loaded[0].rest == rest

    owned(test)


def test_an_owner_that_ends_while_it_waits_for_one_snapshot_begins_no_other() -> None:
    async def test(owner: Owner) -> None:
        snapshotting, position = owner.partition.snapshotting, owner.partition._position()
        snapshotting.begin(position)
        last = asyncio.ensure_future(snapshotting.save_now(position))
        await asyncio.sleep(0)
        in_force = await owner.bus.last("SNAP", HEAD_SUBJECT)

        owner.partition.close()
        await last

        assert await owner.bus.last("SNAP", HEAD_SUBJECT) == in_force

    owned(test)


def test_an_answer_in_the_record_at_which_a_snapshot_stands_outlives_its_owner() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e0", "inline")  # with it the partition has the plan
        await asyncio.sleep(1)
        owner.partition.snapshotting.count(TRANSITIONS)
        owner.run("e1", "inline")
        await asyncio.sleep(1)
        assert len(owner.records()[-1]) == 2  # all of e1, and its answer
        owner.kill()

        await owner.take_over()

        answer = owner.partition.replies.get("e1", "test", 1)
        assert answer is not None
        assert answer.status == 200

    owned(test)


def test_what_actors_change_while_a_snapshot_is_written_is_not_in_it() -> None:
    async def test(owner: Owner) -> None:
        owned_by_actors = Rest(ended=["before"], actors={"schedules": [{"due_ms": 1}]})
        snapshotting = Snapshotting(
            owner.shared, 7, table=Table(), take_rest=lambda: owned_by_actors
        )

        snapshotting.begin(Position(1, 0, 0, 0))
        owned_by_actors.ended.append("after")
        owned_by_actors.actors["schedules"][0]["due_ms"] = 2
        await asyncio.sleep(1)

        loaded = await snapshotting.store.load()
        assert loaded is not None
        assert loaded[0].rest.ended == ["before"]
        assert loaded[0].rest.actors == {"schedules": [{"due_ms": 1}]}

    owned(test)
