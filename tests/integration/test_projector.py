"""The projector with a real Postgres: what was journalled is what people read, once.

Whatever becomes of the projector and of Postgres, and whatever the journal holds, every execution
is one row with all of its events, and a history made anew is the same.
"""

import asyncio
from pathlib import Path

import pytest

from penstock.actors.execution.events import Ran
from penstock.actors.journal import Happened
from penstock.actors.projector import projector as projecting
from penstock.subjects import names
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.codec import VERSION
from penstock.subjects.errors import BusError
from penstock.subjects.history import ListExecutions
from penstock.subjects.memory_broker import MemoryBroker
from tests.integration.journalist import PLAN, WAITING_PLAN, Journalist, append
from tests.integration.projector_world import World, play, until
from tests.servers import PostgresServer, postgres_server


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


def test_the_plans_of_the_journalist_run_inline() -> None:
    # The tests above would pass without looking at anything if nothing ran.
    journalist = Journalist(MemoryBus(MemoryBroker()))

    state, events = journalist.run(journalist.request())

    assert (state.status, state.plan.hash) == ("success", PLAN)
    assert sum(isinstance(event, Ran) for event in events) == 6
