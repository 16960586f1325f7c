"""Outages that only a real broker has: it freezes, or answers in the middle of a restart."""

import asyncio
import contextlib

from penstock.subjects import names
from penstock.subjects.bus import Ack, Message
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.errors import BusError
from penstock.subjects.streams import Budget, ensure
from tests.servers import nats_server

RUNS = names.runs("local", 0)


async def appended(bus: NatsBus, payload: bytes) -> Ack | Exception:
    answered: asyncio.Future[Ack | Exception] = asyncio.get_running_loop().create_future()
    bus.append(RUNS, payload, answered.set_result)
    return await answered


def test_a_frozen_broker_is_noticed_and_all_goes_on_when_it_thaws() -> None:
    async def scenario() -> None:
        with nats_server() as server:
            bus = await NatsBus.connect(server.url, name="test", wait_s=10)
            await ensure(bus, "local", Budget(file_bytes=1 << 28))
            followed: list[Message] = []
            lost, back = asyncio.Event(), asyncio.Event()
            bus.on_connection(lambda is_live: (back if is_live else lost).set())
            bus.follow("EXEC", RUNS, 1, followed.append)
            assert await appended(bus, b"before") == Ack(1)

            server.freeze()
            try:
                refused = await asyncio.wait_for(appended(bus, b"during"), 5)
                await asyncio.wait_for(lost.wait(), 20)
                refused_at_once = await asyncio.wait_for(appended(bus, b"during"), 5)
            finally:
                server.thaw()
            await asyncio.wait_for(back.wait(), 20)
            async with asyncio.timeout(20):
                while not isinstance(await appended(bus, b"after"), Ack):
                    pass
                while not followed or followed[-1].payload != b"after":  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await bus.close()

            assert isinstance(refused, BusError) and isinstance(refused_at_once, BusError)
            # What was sent before the connection was lost may have been stored, but only once.
            assert [m.payload for m in followed] in (
                [b"before", b"after"],
                [b"before", b"during", b"after"],
            )
            assert [m.sequence for m in followed] == list(range(1, len(followed) + 1))

    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_connecting_waits_for_a_broker_that_is_not_there_yet() -> None:
    async def scenario() -> None:
        with nats_server() as server:
            server.stop()
            connecting = asyncio.create_task(NatsBus.connect(server.url, name="test"))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(connecting), 0.3)
            assert not connecting.done()

            await asyncio.to_thread(server.start)
            bus = await asyncio.wait_for(connecting, 20)

            assert bus.is_connected
            await bus.close()

    asyncio.run(asyncio.wait_for(scenario(), 60))
