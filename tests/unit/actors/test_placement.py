"""Hosts agree on who owns what without asking, and a change moves only its share."""

import asyncio

from penstock.actors.placement import Membership, owner_of
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.memory_broker import MemoryBroker
from penstock.subjects.messages import Heartbeat
from tests.simulation import virtual
from tests.simulation.virtual import VirtualClock

HOSTS = ["a", "b", "c"]


def test_every_partition_has_one_owner_whatever_the_order_of_hosts() -> None:
    for partition in range(64):
        assert owner_of(partition, HOSTS) == owner_of(partition, reversed(HOSTS))


def test_a_host_that_leaves_moves_only_its_own_partitions() -> None:
    before = {partition: owner_of(partition, HOSTS) for partition in range(256)}

    after = {partition: owner_of(partition, ["a", "b"]) for partition in range(256)}

    moved = {partition for partition in before if before[partition] != after[partition]}
    assert moved == {partition for partition, host in before.items() if host == "c"}
    assert 40 < len(moved) < 130


def member(broker: MemoryBroker, name: str) -> Membership:
    clock = VirtualClock(asyncio.get_running_loop())
    return Membership(MemoryBus(broker), clock, Heartbeat("actors", name, 1, 0))


def test_hosts_that_hear_each_other_share_and_one_that_falls_silent_loses_its_share() -> None:
    async def main() -> None:
        broker = MemoryBroker()
        first, second = member(broker, "a"), member(broker, "b")
        first.beat()
        await asyncio.sleep(0.1)
        assert first.wanted(16) | second.wanted(16) == set(range(16))
        assert not first.wanted(16) & second.wanted(16)

        await asyncio.sleep(2)
        assert first.wanted(16) == set(range(16))

    virtual.run(main())


def test_a_host_that_drains_wants_nothing_when_another_can_take_it() -> None:
    async def main() -> None:
        broker = MemoryBroker()
        first, second = member(broker, "a"), member(broker, "b")
        first.own.owns = [1, 2]
        first.own.draining = True
        first.beat()
        second.beat()
        await asyncio.sleep(0.1)

        assert first.wanted(16) == set()
        assert second.wanted(16) == set(range(16))
        assert second.claimed() == {1, 2}

    virtual.run(main())
