"""The history's schema in a real Postgres can be brought forward and taken back."""

import psycopg

from penstock.actors.history.migrate import migrate, read_migrations
from tests.integration.projector_world import World, play


def test_migrations_run_forward_and_back_and_forward(world: World) -> None:
    async def scenario() -> None:
        newest = len(read_migrations())
        async with await psycopg.AsyncConnection.connect(world.url, autocommit=True) as connection:
            forward = await migrate(connection)
            again = await migrate(connection)
            back = await migrate(connection, to=0)
            cursor = await connection.execute(
                "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
                " WHERE nspname = 'penstock' AND relkind IN ('r', 'p', 'i', 'S')"
                " AND relname NOT LIKE 'migrations%'"
            )
            left = await cursor.fetchall()
            forward_again = await migrate(connection)

        assert len(forward) == len(back) == len(forward_again) == newest
        assert (again, left) == ([], [])

    play(scenario)
