"""The read side: lists, single executions and recordings, each of one tenant.

Every statement names the tenant: what is another's is absent. A list walks the days backwards by
index, and its cursor is the last id shown, which is enough since ids sort by time. Bodies are
fetched and decoded only for the one execution that is looked at.
"""

import asyncio
import base64
import binascii

import psycopg
from psycopg import AsyncConnection

from penstock.actors.history.replay import Recording, recording_of
from penstock.actors.history.rows import COLUMNS, DAY_MS, Row, day_of, from_columns
from penstock.subjects.blobs import BlobStore, Place
from penstock.subjects.history import PAGE_ROWS_MAX, HistoryError, ListExecutions
from penstock.subjects.views import STATUSES

CONNECTIONS_MAX = 4

_SELECT = f"SELECT {', '.join(COLUMNS)} FROM penstock.executions"


class Store:
    """Reads over connections made when they are needed; a failure costs the connection."""

    def __init__(self, url: str, blobs: BlobStore) -> None:
        self._url = url
        self._blobs = blobs
        self._idle: list[AsyncConnection] = []
        self._turns = asyncio.Semaphore(CONNECTIONS_MAX)

    async def page(self, query: ListExecutions) -> tuple[list[Row], str]:
        """A page of rows, and the cursor of the next one (empty: this was the last)."""
        limit = max(1, min(query.limit, PAGE_ROWS_MAX))
        where, values = _conditions(query)
        statement = f"{_SELECT} WHERE {where} ORDER BY day DESC, id DESC LIMIT {limit + 1}"
        rows = await self._fetch(statement, values)
        more = len(rows) > limit
        return rows[:limit], _cursor(rows[limit - 1].id) if more else ""

    async def row(self, tenant: str, execution: str) -> Row | None:
        """One row."""
        statement = f"{_SELECT} WHERE day = %s AND id = %s AND tenant = %s"
        rows = await self._fetch(statement, [day_of(execution), execution, tenant])
        return rows[0] if rows else None

    async def recording(self, row: Row) -> Recording | None:
        """What an execution's bodies hold; None before it began."""
        bodies = [
            await self._blobs.read(Place(name, offset), length)
            for name, offset, length in row.places
        ]
        return recording_of(bodies)

    async def close(self) -> None:
        """Close the connections."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()

    async def _fetch(self, statement: str, values: list[object]) -> list[Row]:
        async with self._turns:
            return await self._fetch_now(statement, values)

    async def _fetch_now(self, statement: str, values: list[object]) -> list[Row]:
        while True:
            is_fresh = not self._idle
            connection = self._idle.pop() if self._idle else await self._connect()
            try:
                cursor = await connection.execute(statement.encode(), values)
                rows = [from_columns(columns) for columns in await cursor.fetchall()]
            except psycopg.OperationalError:
                await connection.close()
                if is_fresh:
                    raise
                continue  # an idle connection that Postgres had closed: try with a new one
            except BaseException:
                await connection.close()
                raise
            self._idle.append(connection)
            return rows

    async def _connect(self) -> AsyncConnection:
        return await AsyncConnection.connect(self._url, autocommit=True, connect_timeout=5)


def _conditions(query: ListExecutions) -> tuple[str, list[object]]:
    """The WHERE clause of a list, and its values."""
    parts: list[tuple[str, list[object]]] = [("tenant = %s", [query.tenant])]
    if query.workflow:
        parts.append(("workflow = %s", [query.workflow]))
    if query.status:
        if query.status not in STATUSES:
            raise HistoryError(f"{query.status[:40]!r} is no status")
        parts.append(("status = %s", [query.status]))
    if query.since_ms:
        parts.append(("day >= %s AND received_ms >= %s", [_day(query.since_ms), query.since_ms]))
    if query.until_ms:
        parts.append(("day <= %s AND received_ms < %s", [_day(query.until_ms), query.until_ms]))
    if query.id_prefix:
        parts.append(("starts_with(id, %s)", [query.id_prefix.replace("\0", "")]))
    if query.cursor:
        last = _last_shown(query.cursor)
        parts.append(("(day, id) < (%s, %s)", [day_of(last), last]))
    return " AND ".join(p[0] for p in parts), [value for p in parts for value in p[1]]


def _day(at_ms: int) -> int:
    # A row's day comes from its id, which was made a moment before `received_ms` was noted.
    return min(max(at_ms // DAY_MS, 0), 1 << 30)


def _cursor(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")


def _last_shown(cursor: str) -> str:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        last = base64.b64decode(padded, b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise HistoryError("the cursor is none of ours") from error
    if not last.replace("-", "").isalnum():
        raise HistoryError("the cursor is none of ours")
    return last
