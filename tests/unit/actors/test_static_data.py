"""Static data: what an execution leaves its workflow, through deaths and races."""

import asyncio

import pytest

from penstock.actors.inbox import RESULTS
from penstock.actors.journal import Saved
from penstock.actors.snapshotting import TRANSITIONS
from penstock.actors.static_data import StaticDataStore
from penstock.subjects import names
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.messages import Outcome, StepResult
from penstock.subjects.static_data import StaticData, static_data
from tests.unit.actors.owner import Owner, owned


def left_by(node: int, static: dict[str, object], execution: str = "e1") -> bytes:
    outcome = Outcome(outputs=[[{"json": {}}]], static=static)
    return RESULTS.encode([StepResult(execution, node, 1, outcome, "host", 0, 0)])


async def kept(bus: MemoryBus) -> StaticData | None:
    entry = await bus.bucket("static").get("main.dispatched")
    return static_data.decode(entry.value) if entry and entry.value else None


async def run_two_steps(owner: Owner) -> None:
    """e1 has two steps: the first counts to 1, the second to 2, if it sees what the first did."""
    owner.run("e1", "dispatched")
    await asyncio.sleep(1)
    owner.append(names.done("local", 0), left_by(1, {"global": {"n": 1}}))
    await asyncio.sleep(1)
    assert owner.partition.table.active["e1"].static == {"global": {"n": 1}}
    assert await kept(owner.bus) is None
    owner.append(names.done("local", 0), left_by(3, {"global": {"n": 2}}))


def test_what_an_execution_wrote_is_kept_when_it_ends() -> None:
    async def test(owner: Owner) -> None:
        await run_two_steps(owner)
        await asyncio.sleep(1)

        found = await kept(owner.bus)
        assert found is not None
        assert found.data == {"global": {"n": 2}}

    owned(test)


def test_what_a_dead_owner_had_not_stored_yet_the_next_one_stores() -> None:
    async def test(owner: Owner) -> None:
        await run_two_steps(owner)
        await asyncio.sleep(1)
        owner.kill()
        await owner.bus.bucket("static").delete("main.dispatched")  # as if it had not come so far

        await owner.take_over()
        await asyncio.sleep(5)

        found = await kept(owner.bus)
        assert found is not None
        assert found.data == {"global": {"n": 2}}

    owned(test)


@pytest.mark.parametrize("how", ["at the record that holds it", "later", "at the end"])
def test_what_waits_to_be_saved_outlives_its_owner_behind_a_snapshot(how: str) -> None:
    async def test(owner: Owner) -> None:
        owner.broker.faults.full_streams.add("KV_static")
        snapshotting = owner.partition.snapshotting
        await run_two_steps(owner)
        if how == "at the record that holds it":
            snapshotting.count(TRANSITIONS)
        await asyncio.sleep(1)
        if how == "later":
            await snapshotting.save_now(owner.partition._position())
        if how == "at the end":
            await owner.partition.release()
        owner.kill()

        owner.broker.faults.full_streams.clear()
        await owner.take_over()
        await asyncio.sleep(5)

        found = await kept(owner.bus)
        assert found is not None
        assert found.data == {"global": {"n": 2}}
        assert owner.partition.static_data.waiting() == []

    owned(test)


def test_an_execution_that_ended_earlier_replaces_nothing_whatever_the_clocks_say() -> None:
    async def test(owner: Owner) -> None:
        one, other = StaticDataStore(owner.bus), StaticDataStore(owner.bus)
        one.save(5, Saved("main", "dispatched", 1_000, {"global": {"from": "later"}}))
        other.save(4, Saved("main", "dispatched", 2_000, {"global": {"from": "earlier"}}))
        one.save(3, Saved("main", "dispatched", 3_000, {"global": {"from": "long ago"}}))
        await asyncio.sleep(5)

        assert await kept(owner.bus) == StaticData(1_000, {"global": {"from": "later"}}, 5)

    owned(test)


@pytest.mark.parametrize(("known_ms", "expected"), [(999, "ours"), (1_001, "theirs")])
def test_what_a_version_without_sequences_stored_goes_by_the_time(
    known_ms: int, expected: str
) -> None:
    async def test(owner: Owner) -> None:
        theirs = static_data.encode(StaticData(known_ms, {"global": {"from": "theirs"}}))
        await owner.bus.bucket("static").put("main.dispatched", theirs)
        StaticDataStore(owner.bus).save(
            5, Saved("main", "dispatched", 1_000, {"global": {"from": "ours"}})
        )
        await asyncio.sleep(5)

        found = await kept(owner.bus)
        assert found is not None
        assert found.data == {"global": {"from": expected}}

    owned(test)


def test_a_clock_that_is_set_back_by_an_hour_loses_no_static_data() -> None:
    async def test(owner: Owner) -> None:
        await run_two_steps(owner)
        await asyncio.sleep(1)
        owner.clock.offset_ms = -3_600_000

        owner.run("e2", "dispatched")
        await asyncio.sleep(1)
        for node in (1, 3):
            owner.append(names.done("local", 0), left_by(node, {"global": {"n": 3}}, "e2"))
            await asyncio.sleep(1)

        found = await kept(owner.bus)
        assert found is not None
        assert found.data == {"global": {"n": 3}}

    owned(test)
