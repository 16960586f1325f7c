"""What an owner does with schedules whose workflow changed while they were armed."""

import asyncio
from typing import Any

import pytest

from penstock.actors.execution.events import Started
from penstock.actors.journal import Happened
from penstock.subjects.workflows import Version, WorkflowRecord, workflow_key, workflow_record
from penstock.workflow.document import content_hash, encode
from tests.simulation.workflows import document, mark, node
from tests.unit.actors.owner import Owner, owned

KEY = workflow_key("main", "clock")


def ticking(mark_it: str) -> dict[str, Any]:
    """A workflow that runs every 30 seconds."""
    every = node("start", "interval", interval=30, unit="seconds")
    saved: dict[str, Any] = document("clock", every, mark(mark_it), edges={"start": [[mark_it]]})
    return saved


async def put(
    owner: Owner, saved: dict[str, Any], *, activated_ms: int, is_on: bool = True
) -> None:
    """Save a version, active or not."""
    key = content_hash(saved)
    await owner.bus.bucket("plans").put(key, encode(saved))
    now_ms = owner.clock.now_ms()
    record = WorkflowRecord("clock", "main", "clock", [Version(1, key, 0)], 0, now_ms)
    if is_on:
        record.active_hash, record.activated_ms, record.schedules = key, activated_ms, ["start"]
    await owner.bus.bucket("workflows").put(KEY, workflow_record.encode(record))


def started(owner: Owner) -> list[str]:
    """The executions that were fired."""
    return [
        entry.execution
        for entry in owner.journal()
        if isinstance(entry, Happened) and isinstance(entry.events[0], Started)
    ]


def test_publishing_a_version_of_an_active_workflow_fires_nothing() -> None:
    async def test(owner: Owner) -> None:
        activated_ms = owner.clock.now_ms()
        await put(owner, ticking("a"), activated_ms=activated_ms)
        await asyncio.sleep(1_001)
        before = started(owner)
        await put(owner, ticking("b"), activated_ms=activated_ms)
        await asyncio.sleep(25)

        assert len(before) == 33
        assert started(owner) == before
        await asyncio.sleep(10)
        assert len(started(owner)) == 34

    owned(test)


@pytest.mark.parametrize("is_deleted", [True, False])
def test_what_was_turned_off_while_nobody_owned_it_does_not_fire(is_deleted: bool) -> None:
    async def test(owner: Owner) -> None:
        await put(owner, ticking("a"), activated_ms=owner.clock.now_ms())
        await asyncio.sleep(31)
        assert len(started(owner)) == 1
        owner.kill()
        if is_deleted:
            await owner.bus.bucket("workflows").delete(KEY)
        else:
            await put(owner, ticking("a"), activated_ms=0, is_on=False)
        await asyncio.sleep(300)
        await owner.take_over()
        await asyncio.sleep(100)

        assert len(started(owner)) == 1
        assert not owner.partition.schedules.dump()

    owned(test)
