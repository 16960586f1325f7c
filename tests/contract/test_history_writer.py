"""What the projector's writer needs of a database, of Postgres and of the simulator's stand-in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from penstock.actors.history.fold import Batch
from penstock.actors.history.migrate import migrate
from penstock.actors.history.rows import Row
from penstock.actors.history.writer import MovedWatermarkError, Writer
from tests.servers import postgres_server
from tests.simulation.database import SimBlobs, SimDatabase
from tests.simulation.faults import SimFaults

Connect = Callable[[], Coroutine[Any, Any, AsyncConnection]]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres_server() as server:
        yield server.database("writer")


@pytest.fixture(params=["postgres", "stand-in"])
def connect(request: pytest.FixtureRequest) -> Connect:
    if request.param == "stand-in":
        database = SimDatabase(SimFaults())

        async def stand_in() -> AsyncConnection:
            return (await database.connect()).as_psycopg()

        return stand_in
    server_url = request.getfixturevalue("url")

    async def real() -> AsyncConnection:
        connection = await AsyncConnection.connect(server_url, autocommit=True)
        await migrate(connection)
        return connection

    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS penstock CASCADE")
    return real


def a_row(number: int, status: str = "running") -> Row:
    return Row(
        day=1,
        id=f"e{number}",
        tenant="main",
        workflow="w",
        plan="p",
        mode="webhook",
        status=status,
        received_ms=1,
        places=[],
    )


def batch(position: int, *rows: Row) -> Batch:
    return Batch(list(rows), {}, position, position + 1, {}, [])


@contextlib.asynccontextmanager
async def session(connect: Connect) -> AsyncIterator[tuple[AsyncConnection, Writer]]:
    connection = await connect()
    try:
        yield connection, Writer(SimBlobs(SimFaults()), "local")
    finally:
        await connection.close()


def test_rows_and_watermark_are_there_for_the_next_session(connect: Connect) -> None:
    async def test() -> None:
        async with session(connect) as (connection, writer):
            assert await writer.load(connection) == (0, 1, {})
            await writer.store_rows(connection, batch(5, a_row(1), a_row(2, "success")))
            await writer.store_rows(connection, batch(9, a_row(3)))
        async with session(connect) as (connection, writer):
            position, read_from, rows = await writer.load(connection)

        assert (position, read_from) == (9, 10)
        assert rows == {"e1": a_row(1), "e3": a_row(3)}

    asyncio.run(test())


def test_a_row_that_is_stored_again_is_replaced(connect: Connect) -> None:
    async def test() -> None:
        async with session(connect) as (connection, writer):
            await writer.load(connection)
            await writer.store_rows(connection, batch(5, a_row(1)))
            await writer.store_rows(connection, batch(6, a_row(1, "success")))

            assert (await writer.load(connection))[2] == {}

    asyncio.run(test())


def test_whoever_was_overtaken_stores_nothing(connect: Connect) -> None:
    async def test() -> None:
        async with session(connect) as (mine, late), session(connect) as (theirs, first):
            await late.load(mine)
            await first.load(theirs)
            await first.store_rows(theirs, batch(5, a_row(1)))

            with pytest.raises(MovedWatermarkError):
                await late.store_rows(mine, batch(6, a_row(2)))

            assert await late.load(mine) == (5, 6, {"e1": a_row(1)})

    asyncio.run(test())


def test_open_rows_are_those_of_the_position_while_another_moves_it(connect: Connect) -> None:
    async def test() -> None:
        async with session(connect) as (mine, late), session(connect) as (theirs, first):
            await first.load(theirs)
            await first.store_rows(theirs, batch(1, a_row(1)))
            moving = batch(2, a_row(1, "success"), a_row(2))

            loaded, _ = await asyncio.gather(late.load(mine), first.store_rows(theirs, moving))

        before, after = (1, 2, {"e1": a_row(1)}), (2, 3, {"e2": a_row(2)})
        assert loaded in (before, after)

    asyncio.run(test())


def test_a_transaction_that_does_not_end_leaves_nothing(connect: Connect) -> None:
    async def test() -> None:
        async with session(connect) as (connection, writer):
            await writer.load(connection)
            with pytest.raises(KeyError):
                async with connection.transaction():
                    await connection.execute(
                        "UPDATE penstock.watermarks SET position = %s, read_from = %s"
                        " WHERE region = %s AND position = %s",
                        (5, 6, "local", 0),
                    )
                    raise KeyError

            assert (await writer.load(connection))[0] == 0

    asyncio.run(test())
