"""The projector with a real Postgres: what was journalled is what people read, once."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from penstock.actors.execution.events import Ran
from penstock.actors.history import answering, retention, rows
from penstock.actors.history.answering import Answering
from penstock.actors.history.migrate import migrate, read_migrations
from penstock.actors.history.replay import recording_of
from penstock.actors.history.store import Store
from penstock.actors.journal import Happened
from penstock.actors.marks import mark_key
from penstock.actors.plans import Plans
from penstock.actors.projector import projector as projecting
from penstock.actors.projector.projector import Projector, Settings
from penstock.nodes.registry import REGISTRY
from penstock.subjects import names
from penstock.subjects.blobs import BlobStore, Place
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.clock import SystemClock
from penstock.subjects.codec import VERSION
from penstock.subjects.errors import BusError
from penstock.subjects.history import HistoryClient, HistoryError, ListExecutions
from penstock.subjects.memory_broker import MemoryBroker
from penstock.subjects.streams import Budget, ensure
from tests.integration.journalist import NOW_MS, PLAN, WAITING_PLAN, Journalist, append
from tests.servers import PostgresServer, postgres_server

numbers = itertools.count(1)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


class World:
    """A broker in memory, a database of its own, and a projector that can be stopped."""

    def __init__(self, postgres: PostgresServer, directory: Path) -> None:
        self.url = postgres.database(f"history{next(numbers)}")
        self.blobs = BlobStore.local(directory)
        self.broker = MemoryBroker()
        self.bus = MemoryBus(self.broker)
        self.journalist = Journalist(self.bus)
        self.history = HistoryClient(self.bus, "local")
        self.accepts_gap = False
        self.projector = self.new_projector()

    async def prepare(self) -> None:
        await ensure(self.bus, "local", Budget(file_bytes=1 << 30))
        await self.journalist.save_plans()

    def new_projector(self) -> Projector:
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


@pytest.fixture
def world(postgres: PostgresServer, tmp_path: Path) -> World:
    return World(postgres, tmp_path)


def play(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(bounded())


def test_an_execution_is_read_with_its_runs_their_items_and_where_they_came_from(
    world: World,
) -> None:
    async def scenario() -> None:
        await world.prepare()
        request = world.journalist.request(
            items=[{"json": {"body": {"name": "ada", "amount": 42}}}]
        )
        async with world.projecting():
            await world.journalist.run_all([request])

            view = await world.history.read("main", request.execution)

        assert view is not None
        assert (view.status, view.workflow, view.last_node) == ("success", "orders", "Done")
        assert list(view.runs) == ["Webhook", "One", "Large?", "Two", "Three", "Done"]
        two = view.runs["Two"][0]
        assert two.outputs is not None and two.outputs[0] is not None
        assert two.outputs[0][0]["json"]["two"] == "ADA-42"
        assert two.sources[0] is not None and two.sources[0].node == "Large?"
        # What only passed through is not in the journal, but is in the view.
        assert view.runs["Done"][0].outputs == view.runs["Three"][0].outputs

    play(scenario)


def test_executions_that_are_not_over_are_seen_with_the_reason(world: World) -> None:
    async def scenario() -> None:
        await world.prepare()
        journalist = world.journalist
        held, waits = journalist.request(), journalist.request(plan=WAITING_PLAN)
        async with world.projecting():
            await journalist.hold(held, "concurrency")
            await journalist.run_all([waits])

            held_view = await world.history.read("main", held.execution)
            waiting_view = await world.history.read("main", waits.execution)

        assert held_view is not None and waiting_view is not None
        assert (held_view.status, held_view.waiting_for) == ("waiting", "concurrency")
        assert (waiting_view.status, waiting_view.waiting_for) == ("waiting", "timer")
        assert waiting_view.until_ms > NOW_MS

    play(scenario)


def test_an_execution_that_goes_on_after_a_restart_of_the_projector_is_one_row(
    world: World,
) -> None:
    async def scenario() -> None:
        await world.prepare()
        journalist = world.journalist
        request = journalist.request(plan=WAITING_PLAN)
        partition = journalist.partition(request.execution)
        state, events = journalist.run(request)
        async with world.projecting():
            sequence = await journalist.ask(partition, [request])
            await journalist.record(partition, sequence, [Happened(request.execution, events)])
            await world.caught_up()

        async with world.projecting():
            ended = journalist.cancel(state)
            await journalist.record(partition, sequence, [Happened(request.execution, ended)])
            view = await world.history.read("main", request.execution)
            page = await world.history.list(ListExecutions(tenant="main"))

        assert view is not None and view.status == "canceled"
        assert list(view.runs) == ["Webhook", "One", "Large?", "Two", "Three"]
        assert [row.id for row in page.rows] == [request.execution]

    play(scenario)


def test_a_request_read_before_a_restart_joins_a_record_read_after_it(world: World) -> None:
    async def scenario() -> None:
        await world.prepare()
        journalist = world.journalist
        early, late = journalist.request(), journalist.request()
        partition = journalist.partition(late.execution)
        async with world.projecting():
            sequence = await journalist.ask(partition, [late])
            if journalist.partition(early.execution) != partition:
                await journalist.run_all([early])
            await world.caught_up()

        async with world.projecting():
            entry = Happened(late.execution, journalist.run(late)[1])
            await journalist.record(partition, sequence, [entry])
            view = await world.history.read("main", late.execution)

        assert view is not None and view.status == "success"

    play(scenario)


async def a_busy_day(world: World, *, pauses: bool) -> None:
    """Executions that end, wait, are held, started out of turn and cancelled, in a fixed order."""
    journalist = world.journalist
    for _ in range(5):
        await journalist.run_all([journalist.request() for _ in range(10)])
        held = journalist.request()
        sequence = await journalist.hold(held, "rate")
        waits = journalist.request(plan=WAITING_PLAN)
        partition = journalist.partition(waits.execution)
        waiting_since = await journalist.ask(partition, [waits])
        state, events = journalist.run(waits)
        # Started out of turn: `input_seq` has not passed it yet.
        await journalist.record(partition, 0, [Happened(waits.execution, events)])
        if pauses:
            await world.caught_up()
        _, ran = journalist.run(held)
        ran[0].request = held  # type: ignore[union-attr]
        entry = Happened(held.execution, ran)
        await journalist.record(journalist.partition(held.execution), sequence, [entry])
        ended = Happened(waits.execution, journalist.cancel(state))
        await journalist.record(partition, waiting_since, [ended])


def test_views_rebuilt_from_scratch_equal_the_views_built_live(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = World(postgres, tmp_path / "live")
    rebuilt = World(postgres, tmp_path / "rebuilt")

    async def scenario() -> None:
        await live.prepare()
        # Live: many small batches, and many lives of the projector.
        monkeypatch.setattr(projecting, "PACE_S", 0.0)
        writing = asyncio.create_task(a_busy_day(live, pauses=True))
        while not writing.done():
            async with live.projecting():
                await asyncio.wait([writing], timeout=0.03)
        await writing
        async with live.projecting():
            await live.caught_up()

        # Rebuilt: everything at once.
        rebuilt.broker = live.broker
        rebuilt.bus = live.bus
        async with rebuilt.projecting():
            await rebuilt.caught_up()

        expected = await live.contents()
        assert len(expected) == 60
        assert await rebuilt.contents() == expected

    play(scenario)


def test_an_outage_of_postgres_is_waited_out_and_nothing_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projecting, "RETRY_MAX_S", 0.2)
    with postgres_server() as server:
        world = World(server, tmp_path)

        async def scenario() -> None:
            await world.prepare()
            journalist = world.journalist
            async with world.projecting() as projector:
                await journalist.run_all([journalist.request() for _ in range(20)])
                await world.caught_up()

                await asyncio.to_thread(server.kill)
                await journalist.run_all([journalist.request() for _ in range(20)])
                with pytest.raises(BusError, match="not reachable"):
                    await world.history.list(ListExecutions(tenant="main"))
                await asyncio.to_thread(server.start)
                await world.caught_up()

                page = await world.history.list(ListExecutions(tenant="main"))
            assert len(page.rows) == 40
            assert projector.position == (await world.bus.info("EXEC"))["last"]

        play(scenario)


def test_lists_are_newest_first_filtered_and_paged_without_gap(world: World) -> None:
    async def scenario() -> None:
        await world.prepare()
        journalist = world.journalist
        orders = [journalist.request() for _ in range(25)]
        others = [journalist.request(workflow="other") for _ in range(5)]
        waiting = [journalist.request(plan=WAITING_PLAN) for _ in range(3)]
        foreign = [journalist.request(tenant="another") for _ in range(4)]
        async with world.projecting():
            await journalist.run_all([*orders, *others, *waiting, *foreign])
            await world.caught_up()
            ask = world.history.list

            pages, cursor = [], ""
            for _ in range(10):
                page = await ask(
                    ListExecutions(tenant="main", workflow="orders", cursor=cursor, limit=10)
                )
                pages.append([row.id for row in page.rows])
                cursor = page.next_cursor
                if not cursor:
                    break
            not_over = await ask(ListExecutions(tenant="main", status="waiting"))
            by_id = await ask(ListExecutions(tenant="main", id_prefix=others[0].execution[:18]))
            since = await ask(ListExecutions(tenant="main", since_ms=waiting[1].received_ms))
            until = await ask(ListExecutions(tenant="main", until_ms=orders[2].received_ms))

        expected = [r.execution for r in reversed([*orders, *waiting])]
        assert [len(page) for page in pages] == [10, 10, 8]
        assert list(itertools.chain(*pages)) == expected
        assert {row.id for row in not_over.rows} == {r.execution for r in waiting}
        assert others[0].execution in [row.id for row in by_id.rows]
        assert [row.id for row in since.rows] == [waiting[2].execution, waiting[1].execution]
        assert [row.id for row in until.rows] == [orders[1].execution, orders[0].execution]

    play(scenario)


def test_what_is_anothers_or_nonsense_is_absent_or_refused(world: World) -> None:
    async def scenario() -> None:
        await world.prepare()
        request = world.journalist.request()
        async with world.projecting():
            await world.journalist.run_all([request])
            await world.caught_up()
            history = world.history

            assert await history.read("another", request.execution) is None
            assert await history.recorded("another", request.execution) is None
            assert await history.read("main", "../etc/passwd") is None
            assert await history.read("main", "0" * 20) is None
            with pytest.raises(HistoryError, match="cursor"):
                await history.list(ListExecutions(tenant="main", cursor="%%%"))
            with pytest.raises(HistoryError, match="status"):
                await history.list(ListExecutions(tenant="main", status="' OR 1=1"))
            nothing = await history.list(ListExecutions(tenant="main", id_prefix="'\0%_"))

        assert nothing.rows == []

    play(scenario)


class Stalled:
    """A projection that gets nowhere."""

    position = 0

    async def reached(self, sequence: int) -> None:
        await asyncio.get_running_loop().create_future()


def test_a_projection_that_is_behind_never_says_that_there_is_no_such_execution(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await world.prepare()
        known, unknown = world.journalist.request(), world.journalist.request()
        async with world.projecting():
            await world.journalist.run_all([known])
            await world.caught_up()
        monkeypatch.setattr(answering, "CATCH_UP_S", 0.05)
        store = Store(world.url, world.blobs)
        stalled = Answering(world.bus, store, Plans(world.bus, REGISTRY), Stalled())
        stalled.start("local", 2)

        found = await world.history.read("main", known.execution)
        with pytest.raises(BusError, match="catching up"):
            await world.history.read("main", unknown.execution)
        stalled.close()
        await store.close()

        assert found is not None and found.status == "success"

    play(scenario)


def test_the_lag_counts_up_to_the_newest_record_and_not_what_is_no_history(world: World) -> None:
    async def scenario() -> None:
        await world.prepare()
        async with world.projecting():
            await world.journalist.run_all([world.journalist.request() for _ in range(5)])
            await world.caught_up()
        store = Store(world.url, world.blobs)
        ended = Answering(world.bus, store, Plans(world.bus, REGISTRY), world.projector)
        ended.start("local", world.journalist.partitions)

        for number in range(30):
            await append(world.bus, "exec.local.canary.a1", b"%d" % number)
        idle = await world.history.lag()
        record = await world.journalist.record(1, 0, [])
        behind = await world.history.lag()
        ended.close()
        await store.close()

        assert (idle, behind) == (0, record - world.projector.position)

    play(scenario)


def test_a_recording_is_what_a_retry_needs(world: World) -> None:
    async def scenario() -> None:
        await world.prepare()
        journalist = world.journalist
        request = journalist.request()
        async with world.projecting():
            await journalist.run_all([request])
            recorded = await world.history.recorded("main", request.execution)
            assert recorded is not None
            retry = journalist.request(
                seed=recorded.events[:3], mode="retry", retry_of=request.execution
            )
            await journalist.run_all([retry])
            view = await world.history.read("main", retry.execution)

        assert recorded.request == request
        assert view is not None and view.retry_of == request.execution
        assert list(view.runs) == ["Webhook", "One", "Large?", "Two", "Three", "Done"]

    play(scenario)


def test_text_that_postgres_cannot_hold_does_not_stop_the_projection(world: World) -> None:
    async def scenario() -> None:
        await world.prepare()
        odd = world.journalist.request(workflow="a\0b", received_ms=(1 << 64) - 1)
        fine = world.journalist.request()
        async with world.projecting():
            await world.journalist.run_all([odd, fine])
            await world.caught_up()

            page = await world.history.list(ListExecutions(tenant="main"))

        assert [row.workflow for row in page.rows] == ["orders", "a\ufffdb"]

    play(scenario)


def test_forgetting_drops_days_that_are_over_with_their_segments(world: World) -> None:
    async def scenario() -> None:
        await world.prepare()
        journalist = world.journalist
        old, still_open = journalist.request(), journalist.request(plan=WAITING_PLAN)
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
                if entry is not None and entry.value is not None:
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


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def test_a_database_that_lacks_what_was_trimmed_is_refused_and_nothing_moves(
    world: World, postgres: PostgresServer
) -> None:
    async def scenario() -> None:
        await trimmed_behind_its_marks(world)
        right_url, world.url = world.url, postgres.database(f"history{next(numbers)}")
        wrong = world.new_projector()
        task = asyncio.create_task(wrong.run())
        await until(lambda: wrong.problem)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

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
        world.url = postgres.database(f"history{next(numbers)}")
        world.accepts_gap = True
        async with world.projecting() as projector:
            await world.caught_up()
            assert "had reached" in projector.gap
        assert len(await world.contents()) >= 1

    play(scenario)


def test_a_record_of_a_newer_program_is_waited_for_and_what_is_before_is_stored(
    world: World,
) -> None:
    async def scenario() -> None:
        await world.prepare()
        journalist = world.journalist
        await journalist.run_all([journalist.request() for _ in range(5)])
        before = (await world.bus.info("EXEC"))["last"]
        await append(world.bus, names.journal("local", 0), bytes([VERSION + 1]) + b"\x90")
        await journalist.run_all([journalist.request()])
        async with world.projecting() as projector:
            await until(lambda: "NewerVersionError" in projector.problem)
            await until(lambda: projector.position == before)

        assert len(await world.contents()) == 5
        assert "upgrade" in projector.problem

    play(scenario)


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


def test_a_second_projector_of_a_region_does_not_double_anything(world: World) -> None:
    async def scenario() -> None:
        await world.prepare()
        journalist = world.journalist
        async with world.projecting() as first, world.projecting() as second:
            await journalist.run_all([journalist.request() for _ in range(50)])
            last = (await world.bus.info("EXEC"))["last"]
            await first.reached(last)
            await second.reached(last)

        contents = await world.contents()
        assert len(contents) == 50
        for _, recording in contents.values():
            assert sum(isinstance(event, Ran) for event in recording[1]) == 6

    play(scenario)


def test_the_plans_of_the_journalist_run_inline() -> None:
    # The tests above would pass without looking at anything if nothing ran.
    journalist = Journalist(MemoryBus(MemoryBroker()))

    state, events = journalist.run(journalist.request())

    assert (state.status, state.plan.hash) == ("success", PLAN)
    assert sum(isinstance(event, Ran) for event in events) == 6
