"""An installation moves from one broker to three and back, with its streams as they were."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from penstock.subjects import names
from penstock.subjects.bus import Ack, Message
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.errors import PenstockError
from penstock.supervisor import moving, nats
from penstock.supervisor.broker import Broker
from penstock.supervisor.brokers import brokers_of
from penstock.supervisor.data_dir import DataDir

JOURNAL = names.journal("local", 0)


@pytest.fixture
def data_dir(tmp_path: Path) -> DataDir:
    made = DataDir(tmp_path / "data")
    made.prepare()
    return made


async def brokers(data_dir: DataDir, nodes: int) -> Broker:
    return await brokers_of(data_dir, nodes, "local", print)


@asynccontextmanager
async def running(data_dir: DataDir, broker: Broker) -> AsyncIterator[NatsBus]:
    """The brokers with their streams, and an actor host's connection."""
    async with moving.running(data_dir, broker, "test"):
        await asyncio.gather(*(broker.wait_until_ready(one, print) for one in broker.servers))
        password = broker.servers[0].passwords["actors"]
        bus = await NatsBus.connect(broker.url, user="actors", password=password, wait_s=10)
        try:
            yield bus
        finally:
            await bus.close()


async def append(bus: NatsBus, payload: bytes) -> int:
    stored: asyncio.Future[Ack | Exception] = asyncio.get_running_loop().create_future()
    bus.append(JOURNAL, payload, stored.set_result)
    result = await stored
    assert isinstance(result, Ack), result
    return result.sequence


def test_streams_and_buckets_keep_their_messages_and_sequences(data_dir: DataDir) -> None:
    large = b"x" * 3_000_000

    async def play() -> None:
        async with running(data_dir, await brokers(data_dir, 0)) as bus:
            await append(bus, b"trimmed")
            await append(bus, large)
            await bus.purge("EXEC", JOURNAL, 2)
            await bus.bucket("marks").put("history.local.0", b"2")

        await brokers(data_dir, 3)
        assert nats.stores(data_dir, 1)[0].exists() is False
        async with running(data_dir, await brokers(data_dir, 1)) as bus:
            about = await bus.info("EXEC")
            mark = await bus.bucket("marks").get("history.local.0")
            assert (about["messages"], about["first"], about["last"]) == (1, 2, 2)
            assert await bus.last("EXEC", JOURNAL) == Message(JOURNAL, large, 2)
            assert mark is not None
            assert mark.value == b"2"

    asyncio.run(play())


def test_without_a_number_an_installation_runs_as_it_was_made(data_dir: DataDir) -> None:
    async def play() -> list[int]:
        first = await brokers(data_dir, 3)
        again = await brokers(data_dir, 0)
        return [len(first.servers), len(again.servers)]

    assert asyncio.run(play()) == [3, 3]


def test_what_three_brokers_have_no_room_for_stays_with_one(data_dir: DataDir) -> None:
    (data_dir.nats / "budget.json").write_text('{"file_bytes": 60000000}')

    async def play() -> None:
        async with running(data_dir, await brokers(data_dir, 1)) as bus:
            for _ in range(4):
                await append(bus, b"x" * 4_000_000)

        with pytest.raises(PenstockError, match="EXEC holds"):
            await brokers(data_dir, 3)

        async with running(data_dir, await brokers(data_dir, 0)) as bus:
            assert (await bus.info("EXEC"))["messages"] == 4

    asyncio.run(play())
