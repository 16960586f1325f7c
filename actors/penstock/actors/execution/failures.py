"""What follows from a failed execution: an error workflow is told.

The workflow that the settings name, or the failed one itself when it holds an Error Trigger. A
run that was itself started by an error tells nobody, or two broken workflows would call each
other forever.
"""

from typing import Any

from penstock.actors.execution.effects import StartErrorWorkflow
from penstock.actors.execution.turn import Turn
from penstock.workflow.plan import Plan

ERROR_TRIGGER = "n8n-nodes-base.errorTrigger"


def error_workflow(turn: Turn) -> None:
    """Start the error workflow of an execution that has just failed, if it has one."""
    state = turn.state
    request = state.request
    # Not by comparing names: a workflow has an id here and another one in its document, and two
    # that name each other have four.
    if request.mode in ("manual", "error"):
        return
    named = state.plan.settings.get("errorWorkflow")
    if isinstance(named, str) and named not in ("", "DEFAULT"):
        target = named
    elif request.workflow and _has_error_trigger(state.plan):
        target = request.workflow
    else:
        return
    turn.effects.append(StartErrorWorkflow(target, {"json": _report(turn)}))


def _has_error_trigger(plan: Plan) -> bool:
    return any(node.type == ERROR_TRIGGER and not node.disabled for node in plan.nodes)


def _report(turn: Turn) -> dict[str, Any]:
    state = turn.state
    error = state.error
    assert error is not None
    told: dict[str, Any] = {"message": error.message, "name": error.name}
    for key in ("description", "stack"):
        if getattr(error, key):
            told[key] = getattr(error, key)
    if error.node:
        told["node"] = {"name": error.node}
    base = state.info.resume_url.partition("/webhook-waiting/")[0]
    execution: dict[str, Any] = {
        "id": state.info.id,
        "url": f"{base}/api/v1/executions/{state.info.id}",
        "error": told,
        "lastNodeExecuted": state.last_node,
        "mode": state.request.mode,
    }
    if state.request.retry_of:
        execution["retryOf"] = state.request.retry_of
    return {
        "execution": execution,
        "workflow": {"id": state.request.workflow, "name": state.plan.name},
    }
