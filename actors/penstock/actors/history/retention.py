"""Forgetting: a day's table and a day's segments go as a whole, so nothing ever has to be vacuumed.

A day with an execution that is not over stays, whole, until it is: the fold still writes to it.
The table goes first; segments that a crash leaves behind have no table, and go the next time.
"""

from psycopg import AsyncConnection

from penstock.actors.history.writer import segments_of
from penstock.subjects.blobs import BlobStore

_TABLES = """
SELECT child.relname FROM pg_inherits
JOIN pg_class child ON child.oid = inhrelid
WHERE inhparent = 'penstock.executions'::regclass
"""
_NAME = "executions_"


async def forget(
    connection: AsyncConnection, blobs: BlobStore, region: str, *, before_day: int
) -> list[int]:
    """Drop the days before `before_day` that are over; returns them."""
    cursor = await connection.execute(_TABLES)
    days = sorted(int(name.removeprefix(_NAME)) for (name,) in await cursor.fetchall())
    forgotten = [day for day in days if day < before_day and await _drop(connection, day)]
    kept = {str(day) for day in days if day not in forgotten}
    for folder in await blobs.folders(f"history/{region}"):
        if folder.isdigit() and int(folder) < before_day and folder not in kept:
            await blobs.delete_segments(segments_of(region, int(folder)))
    return forgotten


async def _drop(connection: AsyncConnection, day: int) -> bool:
    table = f"penstock.{_NAME}{day}"
    async with connection.transaction():
        # Against a row that comes back to life between the look and the drop.
        await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        cursor = await connection.execute(
            f"SELECT 1 FROM {table} WHERE status IN ('running', 'waiting') LIMIT 1".encode()
        )
        if await cursor.fetchone() is not None:
            return False
        await connection.execute(f"DROP TABLE {table}".encode())
    return True
