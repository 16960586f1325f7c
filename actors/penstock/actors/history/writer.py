"""The writer: one batch of the fold, first its bodies, then rows and watermark as one.

Bodies are appended to segments before the transaction that points at them; a crash in between
leaves bytes that nothing points at. Rows and watermark are one transaction, so every event counts
once however often we die. The watermark moves by compare-and-set: a second projector of the same
region finds it moved and must begin anew from what the first has stored.
"""

import secrets

import psycopg
from psycopg import AsyncConnection

from penstock.actors.history.fold import Batch
from penstock.actors.history.rows import COLUMNS, Row, from_columns, to_columns
from penstock.subjects.blobs import BlobStore
from penstock.subjects.errors import PenstockError

SEGMENT_BYTES_MAX = 64 * 1024 * 1024
_INT_MAX = (1 << 63) - 1

_NAMES = ", ".join(COLUMNS)
_CREATE_CHANGED = (
    "CREATE TEMP TABLE IF NOT EXISTS changed (LIKE penstock.executions) ON COMMIT DELETE ROWS"
)
_COPY = f"COPY changed ({_NAMES}) FROM STDIN"
_UPSERT = (
    f"INSERT INTO penstock.executions ({_NAMES}) SELECT {_NAMES} FROM changed"
    " ON CONFLICT (day, id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in ("day", "id"))
)
_OPEN = f"SELECT {_NAMES} FROM penstock.executions WHERE status IN ('running', 'waiting')"
_MOVE = (
    "UPDATE penstock.watermarks SET position = %s, read_from = %s"
    " WHERE region = %s AND position = %s"
)


class MovedWatermarkError(PenstockError):
    """Somebody else has projected this region meanwhile."""


class Writer:
    """Stores the batches of one region over one connection."""

    def __init__(self, blobs: BlobStore, region: str) -> None:
        self._blobs = blobs
        self._region = region
        self._position = 0
        self._days: set[int] = set()
        self._segment = ""
        self._segment_bytes = 0

    async def load(self, connection: AsyncConnection) -> tuple[int, int, dict[str, Row]]:
        """Position, where to read from, and the executions that are not over."""
        self._days.clear()
        # Locked until the rows are read: they must be those of this position, also while another
        # projector moves it.
        async with connection.transaction():
            await connection.execute(
                "INSERT INTO penstock.watermarks VALUES (%s, 0, 1) ON CONFLICT DO NOTHING",
                (self._region,),
            )
            found = await connection.execute(
                "SELECT position, read_from FROM penstock.watermarks WHERE region = %s FOR SHARE",
                (self._region,),
            )
            mark = await found.fetchone()
            assert mark is not None
            cursor = await connection.execute(_OPEN)
            rows = [from_columns(columns) async for columns in cursor]
        self._position = mark[0]
        return mark[0], mark[1], {row.id: row for row in rows}

    async def store_bodies(self, batch: Batch) -> None:
        """Append the bodies and note their places in the rows. Call once per batch."""
        by_day: dict[int, list[tuple[Row, bytes]]] = {}
        for row in batch.rows:
            body = batch.bodies.get(row.id)
            if body is not None:
                by_day.setdefault(row.day, []).append((row, body.encode()))
        for day, bodies in by_day.items():
            data = b"".join(body for _, body in bodies)
            segment = self._segment_for(batch.position, len(data))
            place = await self._blobs.append(f"{segments_of(self._region, day)}/{segment}", data)
            offset = place.offset
            for row, encoded in bodies:
                row.places.append((place.object, offset, len(encoded)))
                offset += len(encoded)

    async def store_rows(self, connection: AsyncConnection, batch: Batch) -> None:
        """Rows and watermark, in one transaction. May be repeated when it failed."""
        try:
            await self._transact(connection, batch)
        except psycopg.DataError:
            # Somebody's text or number is none for Postgres: make all of them fit and go on.
            for row in batch.rows:
                _make_fit(row)
            await self._transact(connection, batch)
        self._position = batch.position
        self._days.update(row.day for row in batch.rows)

    async def _transact(self, connection: AsyncConnection, batch: Batch) -> None:
        async with connection.transaction(), connection.cursor() as cursor:
            moved = await cursor.execute(
                _MOVE, (batch.position, batch.read_from, self._region, self._position)
            )
            if not moved.rowcount:
                raise MovedWatermarkError(f"the history of {self._region} has another projector")
            if not batch.rows:
                return
            for day in {row.day for row in batch.rows} - self._days:
                await cursor.execute(partition_of_day(day))
            await cursor.execute(_CREATE_CHANGED)
            async with cursor.copy(_COPY) as copy:
                for row in batch.rows:
                    await copy.write_row(to_columns(row))
            await cursor.execute(_UPSERT)

    def _segment_for(self, position: int, size: int) -> str:
        if not self._segment or self._segment_bytes > SEGMENT_BYTES_MAX:
            # Two projectors never write one object: its end would not be where either thinks.
            self._segment = f"{position:016d}-{secrets.token_hex(4)}"
            self._segment_bytes = 0
        self._segment_bytes += size
        return self._segment


def segments_of(region: str, day: int) -> str:
    """The folder of a day's segments."""
    return f"history/{region}/{day}"


def partition_of_day(day: int) -> str:
    """The statement that makes the table of a day."""
    return (
        f"CREATE TABLE IF NOT EXISTS penstock.executions_{day}"
        f" PARTITION OF penstock.executions FOR VALUES FROM ({day}) TO ({day + 1})"
    )


def _make_fit(row: Row) -> None:
    for name in COLUMNS:
        value = getattr(row, name)
        if isinstance(value, str):
            setattr(row, name, value.replace("\0", "\ufffd").replace("\\u0000", "\\ufffd"))
        elif isinstance(value, int):
            setattr(row, name, min(value, _INT_MAX))
