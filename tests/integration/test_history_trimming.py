"""What may be thrown away: days that are over, and of the journal what the history holds.

The projector marks what owners may trim. A database that lacks what was trimmed is refused, unless
somebody says that it may.
"""

import asyncio

import psycopg

from penstock.actors.history import retention, rows
from penstock.actors.marks import mark_key
from penstock.actors.projector.projector import Projector
from penstock.subjects.history import ListExecutions
from tests.integration.journalist import NOW_MS, WAITING_PLAN
from tests.integration.projector_world import World, empty_database, play, until
from tests.servers import PostgresServer


def test_forgetting_drops_days_that_are_over_with_their_segments(world: World) -> None:
    async def scenario() -> None:
        await world.prepare()
        journalist = world.journalist
        old = journalist.request()
        today = NOW_MS + 2 * rows.DAY_MS
        async with world.projecting():
            await journalist.run_all([old])
            journalist.now_ms += rows.DAY_MS
            still_open = journalist.request(plan=WAITING_PLAN)
            await journalist.run_all([still_open])
            journalist.now_ms += rows.DAY_MS
            new = journalist.request()
            await journalist.run_all([new])
            await world.caught_up()
            async with await psycopg.AsyncConnection.connect(
                world.url, autocommit=True
            ) as connection:
                forgotten = await retention.forget(
                    connection, world.blobs, "local", before_day=today // rows.DAY_MS
                )

            left = await world.history.list(ListExecutions(tenant="main"))

        first_day = rows.day_of(old.execution)
        assert forgotten == [first_day]
        assert [row.id for row in left.rows] == [new.execution, still_open.execution]
        folders = await world.blobs.folders("history/local")
        assert sorted(folders) == [str(first_day + 1), str(first_day + 2)]

    play(scenario)


def test_marks_let_owners_trim_what_is_stored_and_keep_what_still_waits(world: World) -> None:
    async def scenario() -> None:
        await world.prepare()
        journalist = world.journalist
        waiting = journalist.request()
        partition = journalist.partition(waiting.execution)
        async with world.projecting():
            ended = [r for r in (journalist.request() for _ in range(20))]
            await journalist.run_all(ended)
            sequence = await journalist.ask(partition, [waiting])
            other = await journalist.record(1 - partition, sequence, [])
            expected = {
                mark_key("local", partition): sequence - 1,
                mark_key("local", 1 - partition): other,
            }
            marks: dict[str, int] = {}
            async for entry in world.bus.bucket("marks").watch():
                if entry is not None and entry.value is not None and "history." in entry.key:
                    marks[entry.key] = int(entry.value)
                    assert marks[entry.key] <= expected[entry.key]
                if marks == expected:
                    break

    play(scenario)


async def trimmed_behind_its_marks(world: World) -> None:
    """A day projected to a database, EXEC trimmed to the marks, and one more execution."""
    await world.prepare()
    journalist = world.journalist
    async with world.projecting():
        await journalist.run_all([journalist.request() for _ in range(20)])
        await world.caught_up()
        marks = world.bus.bucket("marks")
        for partition in (0, 1):
            async with asyncio.timeout(20):
                while (entry := await marks.get(mark_key("local", partition))) is None:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
            assert entry.value is not None
            subject = f"exec.local.{partition}.>"
            await world.bus.purge("EXEC", subject, before=int(entry.value))
    await journalist.run_all([journalist.request()])


async def refused(world: World) -> Projector:
    """A projector that has found a problem and ended."""
    projector = world.new_projector()
    task = asyncio.create_task(projector.run())
    await until(lambda: projector.problem)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return projector


def test_a_database_that_lacks_what_was_trimmed_is_refused_and_nothing_moves(
    world: World, postgres: PostgresServer
) -> None:
    async def scenario() -> None:
        await trimmed_behind_its_marks(world)
        right_url, world.url = world.url, empty_database(postgres)
        wrong = await refused(world)

        assert "this database holds it up to 0 only" in wrong.problem
        assert "PENSTOCK_POSTGRES_URL" in wrong.problem
        assert (wrong.storing.is_set(), wrong.position) == (False, 0)

        world.url = right_url
        async with world.projecting() as right:
            await world.caught_up()
            assert right.problem == right.gap == ""
        assert len(await world.contents()) == 21

    play(scenario)


def test_going_on_without_what_was_trimmed_has_to_be_asked_for_and_is_said(
    world: World, postgres: PostgresServer
) -> None:
    async def scenario() -> None:
        await trimmed_behind_its_marks(world)
        world.url = empty_database(postgres)
        world.accepts_gap = True
        async with world.projecting() as projector:
            await world.caught_up()
            assert "had reached" in projector.gap
        assert len(await world.contents()) >= 1

    play(scenario)


async def another_broker(world: World) -> None:
    """A history was made; then the broker began anew, and its EXEC is longer by now."""
    await world.prepare()
    async with world.projecting():
        await world.journalist.run_all([world.journalist.request() for _ in range(3)])
        await world.caught_up()
    before = (await world.bus.info("EXEC"))["last"]
    world.replace_broker()
    await world.prepare()
    while (await world.bus.info("EXEC"))["last"] <= before:
        await world.journalist.run_all([world.journalist.request()])


def test_a_database_of_another_brokers_history_is_refused_also_when_exec_is_long_enough(
    world: World,
) -> None:
    async def scenario() -> None:
        await another_broker(world)
        projector = await refused(world)

        assert "the broker is another one" in projector.problem
        assert "restore the broker's data" in projector.problem
        assert (projector.storing.is_set(), projector.position) == (False, 0)
        assert len(await world.contents()) == 3

    play(scenario)


def test_to_go_on_with_another_broker_has_to_be_asked_for_once(world: World) -> None:
    async def scenario() -> None:
        await another_broker(world)
        world.accepts_gap = True
        async with world.projecting():
            await world.caught_up()

        world.accepts_gap = False
        async with world.projecting() as projector:
            request = world.journalist.request()
            assert request.execution not in await world.contents()
            await world.journalist.run_all([request])
            await world.caught_up()
            assert projector.problem == ""
        assert request.execution in await world.contents()

    play(scenario)
