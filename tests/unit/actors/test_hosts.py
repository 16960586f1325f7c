"""Hosts beside each other: who takes what when one dies, and that an outage moves nothing."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from penstock.actors.host import TAKEOVERS_MAX, Host
from penstock.actors.journal import RECORDS
from penstock.actors.shared import Shared
from penstock.nodes.registry import REGISTRY
from penstock.subjects import names
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.memory_broker import MemoryBroker
from penstock.subjects.streams import Budget, ensure
from tests.simulation import virtual
from tests.simulation.faults import SimFaults
from tests.simulation.freezing import FreezingBus
from tests.simulation.virtual import VirtualClock

PARTITIONS = 12


class Process:
    """An actor host with a connection of its own."""

    def __init__(self, broker: MemoryBroker, name: str) -> None:
        self.bus = FreezingBus(broker)
        clock = VirtualClock(asyncio.get_running_loop())
        self.shared = Shared(self.bus, clock, "local", PARTITIONS, name, REGISTRY)
        self.host = Host(self.shared)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self.shared.start()
        self._tasks = [asyncio.create_task(run()) for run in (self.host.beat, self.host.place)]

    async def kill(self) -> None:
        for task in self._tasks:
            task.cancel()
        self.host.close()
        self.shared.close()
        await self.bus.close()

    @property
    def owned(self) -> list[int]:
        return sorted(self.host.partitions)


class Hosts:
    """A broker with hosts, of which none is started."""

    def __init__(self) -> None:
        self.broker = MemoryBroker(SimFaults(delayed=1.0, late_s=0.01))
        self.admin = MemoryBus(self.broker)
        self.one = Process(self.broker, "one")
        self.two = Process(self.broker, "two")

    def epochs(self) -> list[int]:
        """How often each partition was taken."""
        lasts = [
            self.broker.stream("EXEC").last(names.journal("local", number))
            for number in range(PARTITIONS)
        ]
        return [RECORDS.decode(last.message.payload).epoch if last else 0 for last in lasts]


def with_hosts(test: Callable[[Hosts], Awaitable[None]]) -> None:
    """Run a test in virtual time."""

    async def main() -> None:
        hosts = Hosts()
        await ensure(hosts.admin, "local", Budget(file_bytes=1 << 30))
        try:
            await test(hosts)
        finally:
            await hosts.one.kill()
            await hosts.two.kill()

    virtual.run(main())


@pytest.mark.parametrize("late_s", [0.0, 0.2])
@pytest.mark.parametrize("away_s", [0.5, 1.2, *(2 + n * 0.037 for n in range(14)), 60])
def test_after_an_outage_every_host_owns_what_it_owned(away_s: float, late_s: float) -> None:
    async def test(hosts: Hosts) -> None:
        one, two = hosts.one, hosts.two
        await one.start()
        await two.start()
        await asyncio.sleep(5)
        owned, epochs = (one.owned, two.owned), hosts.epochs()
        assert sorted([*one.owned, *two.owned]) == list(range(PARTITIONS))

        one.bus.disconnect()
        two.bus.disconnect()
        await asyncio.sleep(away_s)
        one.bus.reconnect()
        await asyncio.sleep(late_s)
        two.bus.reconnect()
        await asyncio.sleep(10)

        assert (one.owned, two.owned) == owned
        assert hosts.epochs() == epochs

    with_hosts(test)


@pytest.mark.parametrize("after_s", [5 + n * 0.043 for n in range(6)])
def test_what_a_killed_host_owned_is_live_elsewhere_within_two_seconds(after_s: float) -> None:
    async def test(hosts: Hosts) -> None:
        await hosts.one.start()
        await hosts.two.start()
        await asyncio.sleep(after_s)
        assert len(hosts.two.owned) == PARTITIONS / 2

        await hosts.two.kill()
        await asyncio.sleep(1.5)

        assert hosts.one.owned == list(range(PARTITIONS))
        assert all(partition.is_live for partition in hosts.one.host.partitions.values())

    with_hosts(test)


@pytest.mark.parametrize("after_s", [5, 6, 7])
def test_a_host_that_hears_nothing_for_a_while_takes_nothing_from_another_after_it(
    after_s: float,
) -> None:
    async def test(hosts: Hosts) -> None:
        await hosts.one.start()
        await hosts.two.start()
        await asyncio.sleep(after_s)
        kept, epochs = hosts.two.owned, hosts.epochs()

        hosts.one.bus.freeze()
        await asyncio.sleep(5)
        assert hosts.two.owned == list(range(PARTITIONS))
        hosts.one.bus.thaw()
        await asyncio.sleep(5)

        assert hosts.two.owned == kept
        assert [hosts.epochs()[number] for number in kept] == [epochs[number] for number in kept]

    with_hosts(test)


def test_a_host_that_is_started_while_it_hears_nothing_takes_no_more_than_it_is_given() -> None:
    async def test(hosts: Hosts) -> None:
        await hosts.two.shared.start()
        hosts.two.bus.freeze()
        await hosts.one.start()
        await asyncio.sleep(5)
        await hosts.two.start()
        await asyncio.sleep(5)
        hosts.two.bus.thaw()
        await asyncio.sleep(5)

        assert sorted([*hosts.one.owned, *hosts.two.owned]) == list(range(PARTITIONS))
        assert [hosts.epochs()[number] for number in hosts.one.owned] == [1] * (PARTITIONS // 2)

    with_hosts(test)


def test_partitions_that_cannot_be_taken_do_not_delay_those_that_can() -> None:
    async def test(hosts: Hosts) -> None:
        await hosts.two.kill()
        for number in range(TAKEOVERS_MAX):
            journal = names.journal("local", number)
            hosts.admin.append(journal, b"no record", lambda result: None)
        await hosts.one.start()

        await asyncio.sleep(1)

        assert hosts.one.owned == list(range(TAKEOVERS_MAX, PARTITIONS))

    with_hosts(test)
