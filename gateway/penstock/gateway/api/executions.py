"""Endpoints of executions: start, read, list, cancel, retry.

Reading joins two views of one thing. The history is complete but late; an execution that it does
not know as ended may be open, and then its owner says how it stands. The owner keeps only the runs
that later nodes may read, so the runs are the history's, unless the history is behind.
"""

import asyncio
from typing import Any, TypeVar

from penstock.gateway.api.endpoint import ApiCall
from penstock.gateway.api.shapes import (
    ExecutionCanceled,
    ExecutionList,
    ExecutionStarted,
)
from penstock.gateway.directory import version_of
from penstock.gateway.problems import ProblemError
from penstock.gateway.starting import start
from penstock.subjects.errors import BusError
from penstock.subjects.history import ListExecutions, Recorded
from penstock.subjects.ids import created_ms, is_execution_id
from penstock.subjects.messages import Cancel, Item, RunRequest
from penstock.subjects.views import ENDED, ExecutionRow, ExecutionView
from penstock.subjects.workflows import workflow_key

Row = TypeVar("Row", bound=ExecutionRow)

ADHOC = "adhoc"
"""Stands for the workflow of an execution whose document was given with the request."""
YOUNG_MS, YOUNG_TRIES, YOUNG_PAUSE_S = 10_000, 3, 0.05
"""An id that was made just now may be on its way from the stream to its owner, or from there to
the history: it is looked for again before it counts as unknown."""


async def start_one(call: ApiCall) -> ExecutionStarted:
    body = call.body
    if bool(body.workflow) == (body.document is not None):
        raise ProblemError(422, "give either a workflow's id or a document")
    if body.document is not None:
        plan, workflow = (await call.parts.directory.save_document(body.document)).hash, ADHOC
    else:
        record = (await call.parts.directory.get(call.tenant, _plain(body.workflow))).record
        plan, workflow = version_of(record, body.version).hash, record.id
    if body.start:
        await _check_start(call, plan, body.start)
    request = RunRequest(
        "", call.tenant, workflow, plan, body.start, "manual", _items(body.items), 0
    )
    return ExecutionStarted(id=await start(call.parts, request))


async def read(call: ApiCall) -> ExecutionView:
    execution = _id(call)
    age_ms = call.parts.clock.now_ms() - created_ms(execution)
    for _ in range(YOUNG_TRIES if abs(age_ms) < YOUNG_MS else 0):
        view = await _look_up(call, execution)
        if view is not None:
            return _named(call, view)
        await asyncio.sleep(YOUNG_PAUSE_S)
    view = await _look_up(call, execution)
    if view is None:
        raise _not_found(execution)
    return _named(call, view)


async def _look_up(call: ApiCall, execution: str) -> ExecutionView | None:
    """The execution, or None. One that begins or ends just now may be missed by either question."""
    recorded, outage = None, None
    try:
        recorded = await call.parts.history.read(call.tenant, execution)
    except BusError as error:
        # The history being down must not hide what is open.
        outage = error
    if recorded is not None and recorded.status in ENDED:
        return recorded
    live = (await call.parts.owners.state(execution)).view
    if live is not None and live.tenant == call.tenant:
        return live if recorded is None else _joined(live, recorded)
    if recorded is not None:
        return recorded
    if outage is not None:
        raise outage
    return None


def _named(call: ApiCall, row: Row) -> Row:
    """`row` with the name that its workflow has now: no record of it was made when it ran."""
    known = call.parts.catalog.get(workflow_key(call.tenant, row.workflow))
    row.workflow_name = known.record.name if known is not None else ""
    return row


def _joined(live: ExecutionView, recorded: ExecutionView) -> ExecutionView:
    """The owner's word on how it stands, with the runs of whichever knows more of them."""
    if _count_runs(recorded) >= _count_runs(live):
        live.runs, live.runs_left_out = recorded.runs, recorded.runs_left_out
    live.last_node = live.last_node or recorded.last_node
    return live


def _count_runs(view: ExecutionView) -> int:
    return sum(len(runs) for runs in view.runs.values())


async def list_all(call: ApiCall) -> ExecutionList:
    query = call.query
    page = await call.parts.history.list(
        ListExecutions(
            tenant=call.tenant,
            workflow=query.workflow,
            status=query.status,
            since_ms=query.since_ms,
            until_ms=query.until_ms,
            cursor=query.cursor,
            limit=query.limit,
        )
    )
    rows = [_named(call, row) for row in page.rows]
    return ExecutionList(executions=rows, next_cursor=page.next_cursor)


async def cancel(call: ApiCall) -> ExecutionCanceled:
    view = await read(call)
    if view.status in ENDED:
        raise ProblemError(409, f"the execution has ended: {view.status}")
    owner = call.parts.owners.partition(view.id)
    await call.parts.signals.send(owner, Cancel(view.id, "canceled through the API"))
    return ExecutionCanceled(id=view.id)


async def retry(call: ApiCall) -> ExecutionStarted:
    view = await read(call)
    if view.status not in {"error", "canceled"}:
        raise ProblemError(
            409,
            f"the execution's status is {view.status}",
            remedy="only what failed or was canceled can be tried again",
        )
    recorded = await call.parts.history.recorded(call.tenant, view.id)
    if recorded is None:
        raise _not_found(view.id)
    before = recorded.request
    plan = before.plan
    seed: list[Any] | None = recorded.events
    if call.body.version == "latest" and before.workflow != ADHOC:
        plan = (await call.parts.directory.get(call.tenant, before.workflow)).record.hash
        if plan != before.plan:
            seed = await _seed_for(call, recorded, plan)
    request = RunRequest(
        "",
        call.tenant,
        before.workflow,
        plan,
        before.start,
        "retry",
        before.items,
        0,
        retry_of=view.id,
        seed=seed,
        output=before.output,
    )
    return ExecutionStarted(id=await start(call.parts, request))


async def _seed_for(call: ApiCall, recorded: Recorded, plan: str) -> list[Any] | None:
    """The recorded events if they mean the same in another version, else `None`: begin anew.

    Events refer to nodes by position, so the versions must have the same nodes in the same order.
    """
    names = [
        [node.get("name") for node in (await call.parts.directory.document(key))["nodes"]]
        for key in (recorded.request.plan, plan)
    ]
    return recorded.events if names[0] == names[1] else None


async def _check_start(call: ApiCall, plan: str, start_node: str) -> None:
    document = await call.parts.directory.document(plan)
    if all(node.get("name") != start_node for node in document["nodes"]):
        raise ProblemError(422, f"the workflow has no node {start_node[:200]!r} to start at")


def _items(given: list[dict[str, Any]] | None) -> list[Item]:
    if given is None:
        return [{"json": {}}]
    return [entry if isinstance(entry.get("json"), dict) else {"json": entry} for entry in given]


def _plain(workflow: str) -> str:
    if not workflow.replace("-", "").isalnum() or not workflow.isascii():
        raise ProblemError(404, f"there is no workflow {workflow!r}")
    return workflow


def _id(call: ApiCall) -> str:
    execution = call.path["id"]
    if not is_execution_id(execution):
        raise _not_found(execution)
    return execution


def _not_found(execution: str) -> ProblemError:
    return ProblemError(404, f"there is no execution {execution[:80]!r}")
