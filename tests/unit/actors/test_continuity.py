"""Journals that lack records: whoever reads them says so, and owns them only when told to."""

import asyncio

import pytest

from penstock.actors.continuity import Continuity
from penstock.actors.history.fold import Fold
from penstock.actors.host import Host
from penstock.actors.journal import RECORDS, Happened, Record
from penstock.actors.partition import Partition
from penstock.actors.shared import Shared
from penstock.nodes.registry import REGISTRY
from penstock.subjects import names
from penstock.subjects.bus import Message
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.errors import PenstockError
from penstock.subjects.messages import Resume
from penstock.workflow.document import content_hash
from tests.simulation.workflows import document, node
from tests.unit.actors.owner import Owner, ends, errors, owned

JOURNAL = names.journal("local", 0)


TWICE = document(
    "twice",
    node("start", "executeWorkflowTrigger", 1),
    node("one", "wait", 1.1, resume="webhook", options={}),
    node("two", "wait", 1.1, resume="webhook", options={}),
    edges={"start": [["one"]], "one": [["two"]]},
)


def record(epoch: int, index: int) -> Record:
    return Record("o", epoch, index, 1, 0, [])


def test_records_follow_each_other_within_an_epoch_and_into_the_next() -> None:
    order = Continuity()

    told = [order.gap(record(*at)) for at in [(3, 7), (3, 8), (4, 0), (5, 0), (5, 1)]]

    assert told == [""] * 5


@pytest.mark.parametrize("following", [(3, 9), (3, 7), (4, 1), (5, 0), (2, 8)])
def test_anything_else_is_a_gap_that_is_told_once(following: tuple[int, int]) -> None:
    order = Continuity()
    order.gap(record(3, 7))

    gap = order.gap(record(*following))

    assert f"record {following[1]} of epoch {following[0]} comes after record 7 of epoch 3" in gap
    assert order.gap(record(following[0], following[1] + 1)) == ""


def lose_the_start(owner: Owner, execution: str) -> None:
    """What a broker does that was given an older copy of a part of its data."""
    stream = owner.broker.stream("EXEC")
    for stored in stream.since(1, JOURNAL):
        for entry in RECORDS.decode(stored.message.payload).entries:
            if isinstance(entry, Happened) and entry.execution == execution:
                stream.remove(stored.message.sequence)
                return


def test_a_partition_whose_journal_lacks_records_is_owned_only_if_that_is_accepted() -> None:
    async def test(owner: Owner) -> None:
        await owner.store("twice", TWICE)
        for execution in ("torn", "whole"):
            owner.run(execution, "twice", plan=content_hash(TWICE))
            await asyncio.sleep(1)
        owner.signal(Resume("torn", [{"json": {}}]))
        await asyncio.sleep(1)
        owner.kill()
        lose_the_start(owner, "torn")

        with pytest.raises(PenstockError, match="the journal has a gap: record 3 of epoch 1") as no:
            await owner.take_over()
        assert "PENSTOCK_ACCEPTS_JOURNAL_GAP" in no.value.remedy

        owner.shared.accepts_gap = True
        owner.partition = Partition(owner.shared, 0, owner.lost.append)
        await owner.partition.own()
        await asyncio.sleep(1)

        assert ends(owner) == {"torn": "error"}
        assert "lost from the journal" in errors(owner)["torn"]
        assert owner.partition.table.is_open("whole")

    owned(test)


def test_a_host_serves_its_other_partitions_and_says_which_one_it_refuses() -> None:
    async def test(owner: Owner) -> None:
        await owner.store("twice", TWICE)
        owner.run("torn", "twice", plan=content_hash(TWICE))
        await asyncio.sleep(1)
        owner.signal(Resume("torn", [{"json": {}}]))
        await asyncio.sleep(1)
        owner.kill()
        lose_the_start(owner, "torn")
        shared = Shared(MemoryBus(owner.broker), owner.clock, "local", 3, "host", REGISTRY)
        await shared.start()
        host = Host(shared)
        tasks = [asyncio.create_task(host.beat()), asyncio.create_task(host.place())]
        try:
            async with asyncio.timeout(20):
                await host.ready.wait()
            await asyncio.sleep(5)

            assert sorted(host.partitions) == [1, 2]
            (problem,) = host.membership.own.problems
            assert "partition 0" in problem
            assert "gap" in problem
        finally:
            for task in tasks:
                task.cancel()
            host.close()
            shared.close()

    owned(test)


def test_a_history_tells_what_is_missing_and_not_what_it_has_seen_before() -> None:
    messages = [
        Message(JOURNAL, RECORDS.encode(record(1, index)), sequence)
        for sequence, index in enumerate([0, 1, 4, 5, 9], start=1)
    ]
    fold = Fold(3, {})
    for message in messages:
        fold.feed(message)

    (lost,) = fold.take().lost
    assert "partition 0" in lost
    assert "record 9 of epoch 1 comes after record 5" in lost
