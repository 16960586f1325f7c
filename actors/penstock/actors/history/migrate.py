"""Migrations: the history's schema as numbered files, each with a way forward and a way back.

A file `NNNN_name.sql` in `migrations/` has a part after the line `-- forward` and one after
`-- back`. Each is applied in a transaction of its own together with its entry in
`penstock.migrations`, under a lock, so programs that start together may all migrate.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from psycopg import AsyncConnection

from penstock.subjects.errors import PenstockError

FOLDER = Path(__file__).parent / "migrations"
_LOCK = 7236174
_PREPARE = """
CREATE SCHEMA IF NOT EXISTS penstock;
CREATE TABLE IF NOT EXISTS penstock.migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    number: int
    name: str
    forward: str
    back: str


def read_migrations(folder: Path = FOLDER) -> list[Migration]:
    """Every migration, in order; `PenstockError` when a number is missing or a file is odd."""
    found = [_read(path) for path in sorted(folder.glob("*.sql"))]
    if [m.number for m in found] != list(range(1, len(found) + 1)):
        raise PenstockError(f"the migrations in {folder} are not numbered from 1 without gaps")
    return found


async def migrate(connection: AsyncConnection, to: int | None = None) -> list[str]:
    """Bring the schema to migration `to` (the newest, unless given); returns what was done."""
    migrations = read_migrations()
    target = len(migrations) if to is None else to
    done: list[str] = []
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        await connection.execute(_PREPARE)
        at = await _version(connection)
        if at > len(migrations):
            raise PenstockError(
                f"the history's schema is at {at}, this program knows {len(migrations)}",
                remedy="run the newer program, or migrate back with it first",
            )
        for migration in _way(migrations, at, target):
            await _apply(connection, migration, is_forward=target > at)
            done.append(f"{'forward' if target > at else 'back'} {migration.name}")
    return done


async def _version(connection: AsyncConnection) -> int:
    cursor = await connection.execute("SELECT coalesce(max(number), 0) FROM penstock.migrations")
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


def _way(migrations: list[Migration], at: int, target: int) -> Iterable[Migration]:
    return migrations[at:target] if target >= at else reversed(migrations[target:at])


async def _apply(connection: AsyncConnection, migration: Migration, *, is_forward: bool) -> None:
    if is_forward:
        await connection.execute(migration.forward.encode())
        await connection.execute(
            "INSERT INTO penstock.migrations (number, name) VALUES (%s, %s)",
            (migration.number, migration.name),
        )
    else:
        await connection.execute(migration.back.encode())
        await connection.execute(
            "DELETE FROM penstock.migrations WHERE number = %s", (migration.number,)
        )


def _read(path: Path) -> Migration:
    number, _, _ = path.stem.partition("_")
    _, forward_mark, rest = path.read_text().partition("-- forward\n")
    forward, back_mark, back = rest.partition("-- back\n")
    if not (number.isdigit() and forward_mark and back_mark):
        raise PenstockError(f"{path} is no migration", remedy="give it a number and both parts")
    return Migration(int(number), path.stem, forward, back)
