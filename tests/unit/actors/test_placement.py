"""Hosts agree on who owns what without asking, own as much as each other, and move little."""

import asyncio
from collections import Counter

import pytest

from penstock.actors.placement import BEAT_S, Membership, owners
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.memory_broker import MemoryBroker
from penstock.subjects.messages import Heartbeat
from tests.simulation import virtual
from tests.simulation.virtual import VirtualClock

HOSTS = frozenset({"a", "b", "c"})


@pytest.mark.parametrize("partitions", [1, 2, 4, 16, 31, 256])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_every_partition_has_one_owner_and_hosts_own_as_many_as_each_other(
    partitions: int, count: int
) -> None:
    hosts = frozenset(f"host-{number}" for number in range(count))

    found = Counter(owners(partitions, hosts))

    assert found.total() == partitions
    shares = [found[host] for host in hosts]
    assert max(shares) - min(shares) <= 1


def test_a_host_that_leaves_moves_its_own_partitions_and_few_others() -> None:
    before = owners(256, HOSTS)

    after = owners(256, HOSTS - {"c"})

    moved = {number for number in range(256) if before[number] != after[number]}
    own = {number for number in range(256) if before[number] == "c"}
    assert moved >= own
    assert len(moved - own) < 30


def member(broker: MemoryBroker, name: str) -> Membership:
    return member_on(MemoryBus(broker), name)


def member_on(bus: MemoryBus, name: str) -> Membership:
    clock = VirtualClock(asyncio.get_running_loop())
    return Membership(bus, clock, Heartbeat("actors", name, 1, 0))


async def beating(*members: Membership, for_s: float) -> None:
    """Let time pass in which these tell that they live."""
    until_s = asyncio.get_running_loop().time() + for_s
    while asyncio.get_running_loop().time() < until_s:
        for each in members:
            each.beat()
        await asyncio.sleep(BEAT_S)


def test_hosts_that_hear_each_other_share_and_one_that_falls_silent_loses_its_share() -> None:
    async def main() -> None:
        broker = MemoryBroker()
        first, second = member(broker, "a"), member(broker, "b")
        first.beat()
        await asyncio.sleep(0.1)
        assert first.wanted(16) | second.wanted(16) == set(range(16))
        assert not first.wanted(16) & second.wanted(16)

        await beating(first, for_s=1.5)
        assert first.wanted(16) == set(range(16))

    virtual.run(main())


def test_a_host_that_does_not_hear_itself_takes_nobody_for_dead() -> None:
    async def main() -> None:
        broker = MemoryBroker()
        bus, other = MemoryBus(broker), MemoryBus(broker)
        first, second = member_on(bus, "a"), member_on(other, "b")
        await beating(first, second, for_s=2)
        assert not first.is_deaf
        share = first.wanted(16)

        bus.disconnect()
        other.disconnect()
        await beating(first, second, for_s=10)
        assert first.is_deaf
        assert first.wanted(16) == share

        bus.reconnect()
        await asyncio.sleep(0.2)
        other.reconnect()
        await beating(first, second, for_s=2)
        assert not first.is_deaf
        assert first.wanted(16) == share

    virtual.run(main())


def test_a_host_that_did_not_survive_an_outage_loses_its_share_a_second_after_it() -> None:
    async def main() -> None:
        broker = MemoryBroker()
        bus, other = MemoryBus(broker), MemoryBus(broker)
        first, second = member_on(bus, "a"), member_on(other, "b")
        await beating(first, second, for_s=2)

        bus.disconnect()
        await other.close()
        await beating(first, for_s=5)
        bus.reconnect()
        await beating(first, for_s=1)

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
