"""The two worlds in which the bus is tested, and `async def` tests."""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol

import pytest

from penstock.subjects.bus import Bus
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.memory_broker import MemoryBroker
from penstock.subjects.streams import Budget, StreamAdmin, ensure
from tests.servers import NatsServer, nats_server

BUDGET = Budget(file_bytes=256 << 20, memory_bytes=128 << 20)
DEADLINE_S = 15.0


class AdminBus(Bus, StreamAdmin, Protocol):
    """What both adapters are."""


class World:
    """One broker with the streams of region `local`, and clients of it."""

    async def connect(self) -> AdminBus:
        raise NotImplementedError

    async def lose(self, bus: AdminBus) -> None:
        """Take the broker away from a client, as a crash does."""
        raise NotImplementedError

    async def restore(self, bus: AdminBus) -> None:
        """Give it back with what was stored."""
        raise NotImplementedError

    async def interrupt(self, bus: AdminBus) -> None:
        """Break its connection alone; the broker and all that it has stay."""
        raise NotImplementedError

    async def resume(self, bus: AdminBus) -> None:
        """Wait until it is connected again after `interrupt`."""
        raise NotImplementedError

    async def begin_anew(self, bus: AdminBus, stream: str) -> None:
        """Put another stream of the same name in the place of one."""
        raise NotImplementedError

    @contextlib.asynccontextmanager
    async def bus(self) -> AsyncIterator[AdminBus]:
        bus = await self.connect()
        await ensure(bus, "local", BUDGET)
        try:
            yield bus
        finally:
            await bus.close()


class MemoryWorld(World):
    def __init__(self) -> None:
        self.broker = MemoryBroker()

    async def connect(self) -> AdminBus:
        return MemoryBus(self.broker)

    async def lose(self, bus: AdminBus) -> None:
        assert isinstance(bus, MemoryBus)
        bus.disconnect()

    async def restore(self, bus: AdminBus) -> None:
        assert isinstance(bus, MemoryBus)
        for stream in ("STEPS", "DONE"):
            self.broker.lose(stream)
        bus.reconnect()

    async def interrupt(self, bus: AdminBus) -> None:
        await self.lose(bus)

    async def resume(self, bus: AdminBus) -> None:
        assert isinstance(bus, MemoryBus)
        bus.reconnect()

    async def begin_anew(self, bus: AdminBus, stream: str) -> None:
        self.broker.lose(stream)


class NatsWorld(World):
    def __init__(self, server: NatsServer) -> None:
        self.server = server

    async def connect(self) -> AdminBus:
        return await NatsBus.connect(self.server.url, name="contract", wait_s=10)

    async def lose(self, bus: AdminBus) -> None:
        await asyncio.to_thread(self.server.kill)
        await until(lambda: not bus.is_connected)

    async def restore(self, bus: AdminBus) -> None:
        await asyncio.to_thread(self.server.start)
        await until(lambda: bus.is_connected)
        # Streams in memory are gone, and whoever may declare them does so again.
        await ensure(bus, "local", BUDGET)

    async def interrupt(self, bus: AdminBus) -> None:
        assert isinstance(bus, NatsBus)
        lost = asyncio.Event()
        bus.on_connection(lambda is_live: None if is_live else lost.set())
        transport = bus.connection._client._transport
        assert transport is not None
        transport.close()  # type: ignore[no-untyped-call]
        await lost.wait()

    async def resume(self, bus: AdminBus) -> None:
        await until(lambda: bus.is_connected)

    async def begin_anew(self, bus: AdminBus, stream: str) -> None:
        assert isinstance(bus, NatsBus)
        await bus.api(f"STREAM.DELETE.{stream}")
        await ensure(bus, "local", BUDGET)


async def until(holds: Callable[[], object]) -> None:
    """Wait for a condition, at most `DEADLINE_S`."""
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110 - conditions of all kinds have no event
            await asyncio.sleep(0.01)


@pytest.fixture(params=["memory", "nats"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "memory":
        yield MemoryWorld()
    else:
        with nats_server() as server:
            yield NatsWorld(server)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run `async def` tests on a loop of their own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments: dict[str, Any] = {
        name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames
    }
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), 60))
    return True
