"""A broker in memory, a real Postgres, and a projector between them, for tests of the history.

`play` runs a scenario; in it `World.projecting()` is a projector's life, and `World.journalist`
writes what owners write.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import psycopg

from penstock.actors.history import rows
from penstock.actors.history.answering import Answering
from penstock.actors.history.replay import recording_of
from penstock.actors.history.store import Store
from penstock.actors.plans import Plans
from penstock.actors.projector.projector import Projector, Settings
from penstock.nodes.registry import REGISTRY
from penstock.subjects.blobs import BlobStore, Place
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.clock import SystemClock
from penstock.subjects.history import HistoryClient
from penstock.subjects.memory_broker import MemoryBroker
from penstock.subjects.streams import Budget, ensure
from tests.integration.journalist import Journalist
from tests.servers import PostgresServer

_numbers = itertools.count(1)


def empty_database(postgres: PostgresServer) -> str:
    """Make a database that no other test has; returns its URL."""
    return postgres.database(f"history{next(_numbers)}")


class World:
    """A broker in memory, a database of its own, and a projector that can be stopped."""

    def __init__(self, postgres: PostgresServer, directory: Path) -> None:
        self.url = empty_database(postgres)
        self.blobs = BlobStore.local(directory)
        self.accepts_gap = False
        self._brokers = 0
        self.replace_broker()
        self.projector = self.new_projector()

    def replace_broker(self) -> None:
        """A broker without anything, and whoever speaks with it."""
        self.broker = MemoryBroker()
        self.bus = MemoryBus(self.broker)
        self.journalist = Journalist(self.bus, seed=self._brokers)
        self._brokers += 1
        self.history = HistoryClient(self.bus, "local")

    async def prepare(self) -> None:
        """Declare streams, store the journalist's plans."""
        await ensure(self.bus, "local", Budget(file_bytes=1 << 30))
        await self.journalist.save_plans()

    def new_projector(self) -> Projector:
        """A projector that has not begun."""
        settings = Settings(postgres_url=self.url, region="local", accepts_gap=self.accepts_gap)
        return Projector(MemoryBus(self.broker), self.blobs, SystemClock(), settings)

    @contextlib.asynccontextmanager
    async def projecting(self) -> AsyncIterator[Projector]:
        """A projector's life, ended without ceremony."""
        self.projector = self.new_projector()
        store = Store(self.url, self.blobs)
        answers = Answering(self.bus, store, Plans(self.bus, REGISTRY), self.projector)
        answers.start("local", self.journalist.partitions)
        task = asyncio.create_task(self.projector.run())
        try:
            async with asyncio.timeout(20):
                await self.projector.storing.wait()
            yield self.projector
        finally:
            answers.close()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await store.close()

    async def caught_up(self) -> None:
        """Return when all that is in the stream is in the rows."""
        last = (await self.bus.info("EXEC"))["last"]
        async with asyncio.timeout(20):
            # Not `reached`: the projector may be replaced meanwhile.
            while self.projector.position < last:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def contents(self) -> dict[str, Any]:
        """Every row with its events in the place of the places where they stand."""
        found = {}
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            names = ", ".join(rows.COLUMNS)
            cursor = await connection.execute(f"SELECT {names} FROM penstock.executions".encode())
            for columns in await cursor.fetchall():
                row = rows.from_columns(columns)
                bodies = [await self.blobs.read(Place(*p[:2]), p[2]) for p in row.places]
                recording = recording_of(bodies)
                events = recording and (recording.request, recording.events)
                row.places = []
                found[row.id] = (row, events)
        return found


def play(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario, for at most a minute."""

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(bounded())


async def until(holds: Callable[[], object]) -> None:
    """Wait for a condition, at most 20 s."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
