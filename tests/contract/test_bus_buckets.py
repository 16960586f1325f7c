"""A bucket keeps the last value of each key, and tells who watches of every change.

Both buses keep these promises of `bus.py`, stale writers and values that are too large included.
"""

import pytest

from penstock.subjects.bus import KvEntry
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.errors import BusError, WrongLastSequenceError
from tests.contract.conftest import World


async def test_a_bucket_keeps_the_last_value_and_its_revision(world: World) -> None:
    async with world.bus() as bus:
        plans = bus.bucket("plans")

        first = await plans.put("main.a", b"1")
        second = await plans.update("main.a", b"2", first)
        with pytest.raises(WrongLastSequenceError):
            await plans.update("main.a", b"3", first)
        with pytest.raises(WrongLastSequenceError):
            await plans.create("main.a", b"3")

        assert await plans.get("main.a") == KvEntry("main.a", b"2", second)
        assert await plans.get("main.b") is None


async def test_a_value_that_no_message_holds_is_refused_without_losing_the_connection(
    world: World,
) -> None:
    async with world.bus() as bus:
        if isinstance(bus, MemoryBus):
            pytest.skip("a process has no largest message")

        with pytest.raises(BusError, match="more than the broker takes"):
            await bus.bucket("plans").put("k", bytes(40 << 20))

        assert bus.is_connected
        assert await bus.bucket("plans").put("k", b"v")


async def test_a_deleted_key_is_absent_and_can_be_created_again(world: World) -> None:
    async with world.bus() as bus:
        plans = bus.bucket("plans")
        await plans.create("k", b"1")

        await plans.delete("k")
        assert await plans.get("k") is None
        await plans.create("k", b"2")

        entry = await plans.get("k")
        assert entry is not None and entry.value == b"2"


async def test_a_key_that_was_changed_meanwhile_is_not_deleted(world: World) -> None:
    async with world.bus() as bus:
        plans = bus.bucket("plans")
        first = await plans.create("k", b"1")
        second = await plans.update("k", b"2", first)

        with pytest.raises(WrongLastSequenceError):
            await plans.delete("k", first)
        assert await plans.get("k") == KvEntry("k", b"2", second)

        assert await plans.delete("k", second) > second
        assert await plans.get("k") is None


async def test_watch_tells_the_present_then_a_mark_then_changes(world: World) -> None:
    async with world.bus() as bus:
        routes = bus.bucket("routes")
        await routes.put("a", b"1")
        await routes.put("gone", b"1")
        await routes.delete("gone")
        await routes.put("b", b"1")

        watch = aiter(routes.watch())
        present = [await anext(watch) for _ in range(3)]
        await routes.put("a", b"2")
        await routes.delete("b")
        changes = [await anext(watch) for _ in range(2)]

        assert [e and (e.key, e.value) for e in present] == [("a", b"1"), ("b", b"1"), None]
        assert [e and (e.key, e.value) for e in changes] == [("a", b"2"), ("b", None)]


async def test_watch_of_an_empty_bucket_tells_the_mark_at_once(world: World) -> None:
    async with world.bus() as bus:
        watch = aiter(bus.bucket("hosts").watch())

        assert await anext(watch) is None
