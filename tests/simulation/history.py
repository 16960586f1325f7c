"""The real projector as a process in the simulator, and what must be true of what it stores."""

import asyncio

from psycopg import AsyncConnection

from penstock.actors.execution.events import Started
from penstock.actors.history.replay import recording_of
from penstock.actors.history.rows import from_columns
from penstock.actors.projector.projector import Projector, Settings
from penstock.subjects.memory_broker import MemoryBroker
from tests.simulation.database import Columns, SimBlobs, SimConnection, SimDatabase
from tests.simulation.freezing import FreezingBus
from tests.simulation.ledger import Ledger
from tests.simulation.virtual import VirtualClock


class SimProjector:
    """It can be killed, also between two statements, and frozen."""

    def __init__(self, broker: MemoryBroker, database: SimDatabase, blobs: SimBlobs) -> None:
        loop = asyncio.get_running_loop()
        self.bus = FreezingBus(broker)
        self.left: int | None = None
        """After how many statements it dies."""
        self._database = database
        self._connections: list[SimConnection] = []
        settings = Settings(postgres_url="", region="local")
        self._projector = Projector(self.bus, blobs, VirtualClock(loop), settings)
        self._projector.connect = self._connect
        self._task = loop.create_task(self._projector.run())

    @property
    def is_dead(self) -> bool:
        return self.bus.is_dead

    def kill(self) -> None:
        """kill -9."""
        self.bus.die()
        for connection in self._connections:
            connection.die()
        self._task.cancel()

    async def _connect(self) -> AsyncConnection:
        connection = await self._database.connect()
        connection.on_statement = self._on_statement
        self._connections.append(connection)
        return connection.as_psycopg()

    def _on_statement(self) -> None:
        if self.left is not None and not self.is_dead:
            self.left -= 1
            if not self.left:
                self.kill()


class Audit:
    """Compares each row with the journal in the moment in which it is stored."""

    def __init__(self, ledger: Ledger, database: SimDatabase, blobs: SimBlobs) -> None:
        self._ledger = ledger
        self._database = database
        self._blobs = blobs
        database.on_commit = self._on_commit

    def is_complete(self) -> bool:
        """Whether everything that started has ended in the history as well."""
        finished = {
            key for key, row in self._database.rows.items() if from_columns(row).finished_ms
        }
        return self._ledger.requests.keys() <= finished

    def problems(self) -> list[str]:
        """What is missing or too much in the end."""
        rows = self._database.rows
        missing = [key for key in self._ledger.requests if key not in rows]
        unknown = [key for key in rows if key not in self._ledger.requests]
        found = [f"{key} is missing from the history" for key in missing]
        found += [f"{key} is in the history and never started" for key in unknown]
        for key, columns in rows.items():
            if key in self._ledger.requests and not from_columns(columns).finished_ms:
                found.append(f"{key} never ends in the history")
        return found

    def _on_commit(self, rows: list[Columns]) -> None:
        for columns in rows:
            problem = self._compared(columns)
            if problem:
                self._ledger.problems.append(problem)

    def _compared(self, columns: Columns) -> str:
        row = from_columns(columns)
        recording = recording_of([self._blobs.look(*place) for place in row.places])
        recorded = recording.events if recording is not None else []
        happened = self._ledger.events.get(row.id, [])
        end = self._ledger.ends.get(row.id)
        if len(recorded) > len(happened):
            return f"the history of {row.id} has {len(recorded)} events of {len(happened)}"
        if recorded and not isinstance(recorded[0], Started):
            return f"the history of {row.id} begins with {recorded[0]}"
        if recorded[1:] != happened[1 : len(recorded)]:
            return f"the history of {row.id} has {recorded}, and {happened} happened"
        if row.finished_ms and (row.status != end or len(recorded) != len(happened)):
            text = f"{len(recorded)} of {len(happened)} events, {row.status}"
            return f"the history of {row.id} ends with {text}, and it ended with {end}"
        return ""
