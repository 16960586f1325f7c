"""What the history answers, asked over the bus, of what a projector stored in Postgres.

What an execution did, which ones there are, what a retry needs, and how far behind the answer is;
and nothing to who asks nonsense or for another's.
"""

import asyncio
import itertools

import pytest

from penstock.actors.history import answering
from penstock.actors.history.answering import Answering
from penstock.actors.history.store import Store
from penstock.actors.plans import Plans
from penstock.nodes.registry import REGISTRY
from penstock.subjects import codec
from penstock.subjects.errors import BusError
from penstock.subjects.history import HistoryError, ListExecutions
from tests.integration.journalist import NOW_MS, WAITING_PLAN, append
from tests.integration.projector_world import World, play


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


def test_an_execution_that_no_message_holds_is_read_without_its_older_data(world: World) -> None:
    async def scenario() -> None:
        await world.prepare()
        body = {"name": "x" * 3_700_000, "amount": 42}
        request = world.journalist.request(items=[{"json": {"body": body}}])
        async with world.projecting():
            await world.journalist.run_all([request])

            view = await world.history.read("main", request.execution)

        assert view is not None and view.is_partial
        assert (view.status, view.last_node, view.runs_left_out) == ("success", "Done", 0)
        assert list(view.runs) == ["Webhook", "One", "Large?", "Two", "Three", "Done"]
        runs = [run for of_node in view.runs.values() for run in of_node]
        assert view.runs["Done"][0].outputs is not None
        assert any(run.is_partial for run in runs)
        assert all((run.outputs is None) == run.is_partial for run in runs)

    play(scenario)


@pytest.mark.parametrize("kind", ["read", "events", "list"])
def test_what_goes_wrong_while_answering_is_answered_with_a_problem(
    world: World, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await world.prepare()
        request = world.journalist.request(items=[{"json": {"body": {"name": "x" * 9_000}}}])
        async with world.projecting():
            await world.journalist.run_all([request])
            await world.caught_up()
            monkeypatch.setattr(codec, "MESSAGE_BYTES_MAX", 200)
            with pytest.raises(HistoryError, match="exceeds 200"):
                if kind == "read":
                    await world.history.read("main", request.execution)
                elif kind == "events":
                    await world.history.recorded("main", request.execution)
                else:
                    await world.history.list(ListExecutions(tenant="main"))

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
