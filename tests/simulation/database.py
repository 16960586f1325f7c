"""A stand-in for the history's Postgres and its object store, in virtual time.

It knows the statements of `history.writer` and no others, and what matters of a database to them:
a transaction is stored wholly or not at all, the watermark's row stays locked until the end of
the transaction that locks or moves it, a dead client's transaction is rolled back. A commit may be
stored although its client hears of a lost connection. `tests/contract/test_history_writer.py`
holds it to Postgres.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, cast

import psycopg
from psycopg import AsyncConnection

from penstock.actors.history.migrate import read_migrations
from penstock.actors.history.rows import COLUMNS
from penstock.subjects.blobs import BlobStore, Place
from tests.simulation.faults import SimFaults

Columns = tuple[object, ...]

_ID, _STATUS = COLUMNS.index("id"), COLUMNS.index("status")


class SimDatabase:
    """What is stored. `on_commit` is told of every transaction's rows."""

    def __init__(self, faults: SimFaults) -> None:
        self.faults = faults
        self.rows: dict[str, Columns] = {}
        self.position, self.read_from = 0, 1
        self.is_away = False
        self.on_commit: Callable[[list[Columns]], None] = lambda rows: None
        self.lock = asyncio.Lock()

    async def connect(self) -> "SimConnection":
        """A client's connection; `OperationalError` while the database is away."""
        connection = SimConnection(self)
        await connection.turn()
        return connection


class _Cursor:
    """Rows of an answer, and a place to run the next statement from."""

    def __init__(self, connection: "SimConnection", rows: Sequence[Columns] = (), count: int = 0):
        self.rowcount = count or len(rows)
        self._connection = connection
        self._rows = list(rows)

    async def fetchone(self) -> Columns | None:
        return self._rows.pop(0) if self._rows else None

    async def __aiter__(self) -> AsyncIterator[Columns]:
        for row in self._rows:
            yield row

    async def execute(self, statement: str | bytes, values: Sequence[Any] = ()) -> "_Cursor":
        return await self._connection.execute(statement, values)

    @contextlib.asynccontextmanager
    async def copy(self, statement: str) -> AsyncIterator["_Copy"]:
        assert statement.startswith("COPY changed"), statement
        await self._connection.turn()
        yield _Copy(self._connection.copied)

    async def __aenter__(self) -> "_Cursor":
        return self

    async def __aexit__(self, *_: object) -> None:
        return


class _Copy:
    def __init__(self, copied: list[Columns]) -> None:
        self._copied = copied

    async def write_row(self, columns: Columns) -> None:
        self._copied.append(columns)


class SimConnection:
    """One client's connection, in autocommit but for `transaction`."""

    def __init__(self, database: SimDatabase) -> None:
        self.copied: list[Columns] = []
        self.statements = 0
        self.on_statement: Callable[[], None] = lambda: None
        """Called before each statement."""
        self._database = database
        self._is_dead = False
        self._is_within = False
        self._has_lock = False
        self._mark: tuple[int, int] | None = None
        self._rows: list[Columns] = []

    def as_psycopg(self) -> AsyncConnection:
        """For those who expect the real one."""
        return cast(AsyncConnection, self)

    def die(self) -> None:
        """Its client was killed: what it had begun is rolled back, and nothing answers it."""
        self._is_dead = True
        self._end()

    async def close(self) -> None:
        self._end()

    async def turn(self) -> None:
        """A round trip, in which everything can go wrong."""
        self.statements += 1
        self.on_statement()
        faults = self._database.faults
        await asyncio.sleep(faults.delay_s("late_answer"))
        if self._is_dead:
            await asyncio.get_running_loop().create_future()
        if self._database.is_away or faults.happens("failed_statement"):
            raise psycopg.OperationalError("the database is not reachable")

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        self._is_within = True
        try:
            yield
            await self.turn()
            self._commit()
            if self._database.faults.happens("lost_commit"):
                raise psycopg.OperationalError("the connection was lost: it may have been stored")
        finally:
            self._end()

    def cursor(self) -> _Cursor:
        return _Cursor(self)

    async def execute(self, statement: str | bytes, values: Sequence[Any] = ()) -> _Cursor:
        await self.turn()
        text = statement.decode() if isinstance(statement, bytes) else statement
        words = " ".join(text.split()[:3])
        if words == "UPDATE penstock.watermarks SET":
            cursor = await self._move(*values)
        elif words == "SELECT position, read_from":
            database = self._database
            if "FOR SHARE" in text:
                await self._lock()
            cursor = _Cursor(self, [(database.position, database.read_from)])
        elif words == "SELECT coalesce(max(number), 0)":
            cursor = _Cursor(self, [(len(read_migrations()),)])
        elif words == "INSERT INTO penstock.executions":
            self._rows += self.copied
            cursor = _Cursor(self, count=len(self.copied))
        elif words.startswith("SELECT day, id"):
            rows = self._database.rows.values()
            cursor = _Cursor(self, [r for r in rows if r[_STATUS] in ("running", "waiting")])
        elif words.startswith(_WITHOUT_CONSEQUENCE):
            cursor = _Cursor(self)
        else:
            raise NotImplementedError(text)
        if not self._is_within:
            self._commit()
            self._end()
        return cursor

    async def _move(self, position: int, read_from: int, _region: str, expected: int) -> _Cursor:
        await self._lock()
        if self._database.position != expected:
            return _Cursor(self)
        self._mark = (position, read_from)
        return _Cursor(self, count=1)

    async def _lock(self) -> None:
        """Lock the watermark's row."""
        if not self._has_lock:
            await self._database.lock.acquire()
            self._has_lock = True
        if self._is_dead:
            self._end()
            await asyncio.get_running_loop().create_future()

    def _commit(self) -> None:
        database = self._database
        if self._mark is not None:
            database.position, database.read_from = self._mark
        for row in self._rows:
            database.rows[str(row[_ID])] = row
        if self._rows:
            database.on_commit(self._rows)

    def _end(self) -> None:
        """The transaction is over, stored or not."""
        self._is_within = False
        self._mark = None
        self._rows, self.copied = [], []
        if self._has_lock:
            self._has_lock = False
            self._database.lock.release()


_WITHOUT_CONSEQUENCE = (
    "SELECT pg_advisory_xact_lock(%s)",
    "CREATE SCHEMA",
    "CREATE TABLE",
    "CREATE TEMP TABLE",
    "INSERT INTO penstock.watermarks",
)


class SimBlobs(BlobStore):
    """Segments in memory."""

    def __init__(self, faults: SimFaults) -> None:
        self.segments: dict[str, bytes] = {}
        self._faults = faults

    async def append(self, segment: str, data: bytes) -> Place:
        await asyncio.sleep(self._faults.delay_s("late_answer"))
        if self._faults.happens("failed_write"):
            # Half of it is there, as after a full disk.
            self.segments[segment] = self.segments.get(segment, b"") + data[: len(data) // 2]
            raise OSError("no space left on the device")
        before = self.segments.get(segment, b"")
        self.segments[segment] = before + data
        return Place(segment, len(before))

    async def read(self, place: Place, length: int) -> bytes:
        return self.look(place.object, place.offset, length)

    def look(self, segment: str, offset: int, length: int) -> bytes:
        """`read`, at once."""
        return self.segments[segment][offset : offset + length]
