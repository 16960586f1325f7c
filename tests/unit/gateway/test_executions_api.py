"""Executions through the REST API: history and live state as one."""

from typing import Any

import pytest

from penstock.subjects.history import Recorded
from penstock.subjects.ids import new_id
from penstock.subjects.messages import Cancel, RunRequest
from penstock.subjects.views import ExecutionView, NodeRunView
from tests.unit.gateway.harness import Gateway, chain, no_op, until, webhook

ID = new_id(1_700_000_000_000)


def view(status: str, execution: str = ID, **more: Any) -> ExecutionView:
    return ExecutionView(
        id=execution,
        tenant=more.pop("tenant", "main"),
        workflow="w",
        plan="p",
        mode="webhook",
        status=status,
        received_ms=1,
        **more,
    )


async def test_a_saved_workflow_is_run_by_hand(gw: Gateway) -> None:
    document = chain("w", webhook("a"), no_op("End"))
    workflow = await gw.create(document, activate=False)

    started = await gw.api(
        "POST",
        "/executions",
        {"workflow": workflow, "start": "End", "items": [{"a": 1}, {"json": {"b": 2}}]},
    )

    assert started.status == 202
    await until(lambda: gw.owners.runs)
    run = gw.owners.runs[0]
    assert (run.execution, run.workflow, run.start, run.mode) == (
        started.json["id"],
        workflow,
        "End",
        "manual",
    )
    assert run.items == [{"json": {"a": 1}}, {"json": {"b": 2}}]


async def test_executions_tell_what_their_workflow_is_called_now(gw: Gateway) -> None:
    workflow = await gw.create(chain("Orders", no_op("End")), activate=False)
    gw.owners.ended[ID] = view("success")
    gw.owners.ended[ID].workflow = workflow

    listed = await gw.api("GET", "/executions")
    shown = await gw.api("GET", f"/executions/{ID}")
    await gw.api("DELETE", f"/workflows/{workflow}")
    gone = await gw.api("GET", f"/executions/{ID}")

    assert [row["workflow_name"] for row in listed.json["executions"]] == ["Orders"]
    assert (shown.json["workflow_name"], gone.json["workflow_name"]) == ("Orders", "")


async def test_a_document_is_run_without_saving_it(gw: Gateway) -> None:
    started = await gw.api("POST", "/executions", {"document": chain("w", no_op("End"))})

    assert started.status == 202
    await until(lambda: gw.owners.runs)
    assert gw.owners.runs[0].workflow == "adhoc"
    assert (await gw.api("GET", "/workflows")).json["workflows"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"workflow": "nope"}, 404),
        ({"workflow": "No*pe."}, 404),
        ({"workflow": 7}, 422),
        ({"document": {"nodes": 1}}, 422),
        ({"document": [], "workflow": "x"}, 422),
        ({"document": chain("w", no_op("End")), "start": "Nobody"}, 422),
        ({"document": chain("w", no_op("End")), "items": [1]}, 422),
        ({"unknown": 1}, 422),
        ([], 422),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_runs_that_cannot_be_started_are_refused(gw: Gateway, body: Any, status: int) -> None:
    assert (await gw.api("POST", "/executions", body)).status == status
    assert gw.owners.runs == []


async def test_what_ended_is_read_from_the_history_and_what_is_open_from_its_owner(
    gw: Gateway,
) -> None:
    open_, ended, both = new_id(1), new_id(2), new_id(3)
    gw.owners.views = {
        open_: view("waiting", open_, waiting_for="timer"),
        both: view("running", both, last_node="newer"),
    }
    gw.owners.ended = {ended: view("success", ended), both: view("running", both)}

    shown = {
        execution: (await gw.api("GET", f"/executions/{execution}")).json
        for execution in (open_, ended, both)
    }

    assert shown[open_]["status"] == "waiting"
    assert shown[open_]["waiting_for"] == "timer"
    assert shown[ended]["status"] == "success"
    assert shown[both]["last_node"] == "newer"
    assert (await gw.api("GET", f"/executions/{new_id(4)}")).status == 404


async def test_what_is_open_shows_the_runs_that_the_history_has_and_its_owner_has_not(
    gw: Gateway,
) -> None:
    ran = NodeRunView(index=0, status="success", finished_ms=5, outputs=[[{"json": {"a": 1}}]])
    again = NodeRunView(index=1, status="success", finished_ms=0)
    asleep, ahead = new_id(1), new_id(2)
    gw.owners.views = {
        asleep: view("waiting", asleep, waiting_for="timer", until_ms=7, is_partial=True),
        ahead: view("running", ahead, last_node="B", runs={"A": [ran], "B": [again]}),
    }
    gw.owners.ended = {
        asleep: view("running", asleep, last_node="A", runs={"A": [ran]}),
        ahead: view("running", ahead, last_node="A", runs={"A": [ran]}),
    }

    shown, newer = [
        (await gw.api("GET", f"/executions/{execution}")).json for execution in (asleep, ahead)
    ]

    assert (shown["status"], shown["waiting_for"], shown["until_ms"]) == ("waiting", "timer", 7)
    assert shown["last_node"] == "A"
    assert shown["runs"]["A"][0]["outputs"] == [[{"json": {"a": 1}}]]
    assert (newer["last_node"], sorted(newer["runs"])) == ("B", ["A", "B"])


async def test_another_tenants_open_execution_is_not_there(gw: Gateway) -> None:
    gw.owners.views = {ID: view("running", tenant="other")}

    assert (await gw.api("GET", f"/executions/{ID}")).status == 404
    assert (await gw.api("POST", f"/executions/{ID}/cancel")).status == 404
    assert gw.owners.signals == []


async def test_cancel_is_a_durable_signal_to_what_is_open(gw: Gateway) -> None:
    gw.owners.views = {ID: view("running")}
    ended = new_id(9)
    gw.owners.ended = {ended: view("success", ended)}

    canceled = await gw.api("POST", f"/executions/{ID}/cancel")
    refused = await gw.api("POST", f"/executions/{ended}/cancel")

    assert (canceled.status, refused.status) == (202, 409)
    await until(lambda: gw.owners.signals)
    assert isinstance(gw.owners.signals[0], Cancel)
    assert gw.owners.signals[0].execution == ID


async def test_a_retry_begins_from_what_was_recorded(gw: Gateway) -> None:
    workflow = await gw.create(chain("w", webhook("a"), no_op("End")), activate=False)
    plan = (await gw.api("GET", f"/workflows/{workflow}/versions")).json["versions"][0]["hash"]
    before = RunRequest(ID, "main", workflow, plan, "Webhook", "webhook", [{"json": {"a": 1}}], 1)
    gw.owners.ended = {ID: view("error")}
    gw.owners.recorded = {ID: Recorded(before, [["s", 1]])}

    same = await gw.api("POST", f"/executions/{ID}/retry")
    await gw.api("PUT", f"/workflows/{workflow}", chain("w", webhook("a"), no_op("Other")))
    latest = await gw.api("POST", f"/executions/{ID}/retry", {"version": "latest"})

    assert (same.status, latest.status) == (202, 202)
    await until(lambda: len(gw.owners.runs) == 2)
    first, second = gw.owners.runs
    assert (first.mode, first.retry_of, first.plan, first.seed) == ("retry", ID, plan, [["s", 1]])
    assert first.items == before.items
    assert second.plan != plan
    assert second.seed is None


async def test_only_what_failed_is_tried_again(gw: Gateway) -> None:
    gw.owners.ended = {ID: view("success")}

    assert (await gw.api("POST", f"/executions/{ID}/retry")).status == 409
    assert (await gw.api("POST", f"/executions/{ID}/retry", {"version": "x"})).status == 422
    assert (await gw.api("POST", f"/executions/{new_id(8)}/retry")).status == 404


async def test_a_list_shows_rows_and_odd_cursors_are_refused(gw: Gateway) -> None:
    gw.owners.ended = {ID: view("success")}

    listed = await gw.api("GET", "/executions?status=success&limit=10")

    assert [row["id"] for row in listed.json["executions"]] == [ID]
    assert (await gw.api("GET", "/executions?cursor=garbage")).status == 400
