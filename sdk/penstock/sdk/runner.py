"""Running one node once, anywhere: what n8n does around every node's own code.

The partition loop calls `run_node` for inline nodes, sandbox workers for user code, and trusted
hosts `run_node_async`; so a result is finished where its items are. Here: executeOnce, what a
failure means under the node's `onError`, the error output, alwaysOutputData, lineage. Not here:
disabled and pinned nodes, retries and waiting, which the execution core decides.

A node's bug never gets out: any exception becomes an outcome with an error, and is logged. What
user code wrote to its log before it failed travels with the error.
"""

import logging
from collections.abc import Callable
from typing import Any, cast

import msgspec

from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.sdk.pairing import origin, pair_outputs
from penstock.subjects.errors import ErrorInfo, PenstockError
from penstock.subjects.messages import Item, Outcome, Outputs
from penstock.workflow.plan import OnError, PlanNode
from penstock.workflow.scope import Scope, Written

_log = logging.getLogger("penstock.node")

Inputs = list[list[Item] | None]

_LOG_CHARACTERS_MAX = 4 << 20


def run_node(scope: Scope) -> Outcome:
    """Run the scope's node, which must not be asynchronous, and finish its outcome."""
    node = scope.node
    seen = _once(scope) if node.execute_once else scope
    call = Call(seen)
    try:
        outcome = _implementation(node).run(call)
        if not isinstance(outcome, Outcome):
            _discard(outcome)
            raise TypeError(f"{node.type} is asynchronous and needs a sandbox host")
    except Exception as error:
        outcome = _failed(call, error)
    if seen.written is not None:
        _keep(seen.written, outcome)
    return finish(node, scope.inputs, outcome)


async def run_node_async(scope: Scope, services: Any = None) -> Outcome:
    """Run the scope's node, asynchronous or not, and finish its outcome.

    `services` is what the host lends a node for this run (`call.services`), such as HTTP.
    """
    node = scope.node
    seen = _once(scope) if node.execute_once else scope
    call = Call(seen)
    call.services = services
    try:
        outcome = _implementation(node).run(call)
        if not isinstance(outcome, Outcome):
            outcome = await outcome
    except Exception as error:
        outcome = _failed(call, error)
    if seen.written is not None:
        _keep(seen.written, outcome)
    return finish(node, scope.inputs, outcome)


def finish(node: PlanNode, inputs: Inputs, outcome: Outcome) -> Outcome:
    """Apply a node's settings to what its run came to. `inputs` are those before executeOnce."""
    if outcome.error is not None and outcome.outputs is None:
        if node.on_error is OnError.STOP:
            return outcome
        # The flow goes on with what came in, at the first output, as n8n has it.
        outcome.outputs = [list(inputs[0] or ()) if inputs else []]
        return outcome
    outputs = outcome.outputs
    if outputs is not None:
        if node.retry is not None:
            outcome.is_retryable = _tells_of_error(outputs)
        if node.on_error is OnError.ERROR_OUTPUT:
            _split_errors(node, inputs, outputs)
        if not _is_plain(outputs):
            _write_errors(outputs)
            pair_outputs(outputs, inputs)
    if node.always_output and not (outputs and outputs[0]):
        outcome.outputs = [_empty_item(inputs), *(outputs or [])[1:]]
    return outcome


def _implementation(node: PlanNode) -> Node:
    if node.kind is None:
        raise NodeError(
            f"Unrecognized node type: {node.type}",
            description=f"No node here serves {node.type} in version {node.version}.",
        )
    return cast(Node, node.kind)


def _keep(written: Written, outcome: Outcome) -> None:
    """What the run wrote goes out with its outcome, a failure included, as in n8n."""
    outcome.custom = written.custom
    outcome.static = written.static


def _once(scope: Scope) -> Scope:
    return msgspec.structs.replace(scope, inputs=[items and items[:1] for items in scope.inputs])


def _discard(outcome: object) -> None:
    close = getattr(outcome, "close", None)
    if callable(close):
        close()


def _failed(call: Call, error: Exception) -> Outcome:
    return Outcome(outputs=None, error=_info(call.node, error), logs=_newest(call.logs))


def _newest(lines: list[str]) -> list[str] | None:
    """The last lines of a log: all it holds must not make a failure too large to be told."""
    left = _LOG_CHARACTERS_MAX
    for index in range(len(lines) - 1, -1, -1):
        left -= len(lines[index])
        if left < 0:
            return lines[index + 1 :]
    return lines or None


def _info(node: PlanNode, error: Exception) -> ErrorInfo:
    tell: Callable[[str], ErrorInfo] | None = getattr(error, "info", None)
    if isinstance(error, PenstockError):
        if tell is not None:
            return tell(node.name)
        return ErrorInfo(message=error.message, description=error.remedy, node=node.name)
    _log.error("node %s (%s) failed by a bug of its own", node.name, node.type, exc_info=error)
    text = f"{type(error).__name__}: {error}"
    return ErrorInfo(message=text, name="internal", node=node.name)


def _is_plain(outputs: Outputs) -> bool:
    """Whether nothing is left to do for these items: all have lineage, none tells of an error."""
    for items in outputs:
        for item in items or ():
            json = item["json"]
            if "pairedItem" not in item or "error" in item or "error" in json or "$error" in json:
                return False
    return True


def _tells_of_error(outputs: Outputs) -> bool:
    first = outputs[0] if outputs else None
    return first is not None and bool(first) and first[0].get("json", {}).get("error") is not None


def _split_errors(node: PlanNode, inputs: Inputs, outputs: Outputs) -> None:
    """Move items that tell of an error to the extra last output, with their origin's fields."""
    errors: list[Item] = []
    while len(outputs) < node.outputs:
        outputs.append([])
    del outputs[node.outputs :]
    for number, items in enumerate(outputs):
        if not items or not any(_is_error(item) for item in items):
            continue
        good = []
        for item in items:
            if not _is_error(item):
                good.append(item)
                continue
            source = origin(item, inputs)
            moved = {key: value for key, value in item.items() if key != "error"}
            if source is not None:
                moved["json"] = {**source["json"], **item["json"]}
            errors.append(moved)
        outputs[number] = good
    outputs.append(errors)


def _is_error(item: Item) -> bool:
    if item.get("error"):
        return True
    json = item.get("json") or {}
    if not json.get("error"):
        return False
    return len(json) == 1 or (len(json) == 2 and bool(json.get("message")))


def _write_errors(outputs: Outputs) -> None:
    """An item with an `error` beside its json, or with `$error` in it, holds just the message."""
    for items in outputs:
        for position, item in enumerate(items or ()):
            json = item.get("json")
            if isinstance(json, dict) and "$error" in json and "$json" in json:
                error = json["$error"]
                changed = {**item, "error": error, "json": {"error": _message(error)}}
            elif item.get("error") is not None:
                changed = {**item, "json": {"error": _message(item["error"])}}
            else:
                continue
            cast(list[Item], items)[position] = changed


def _message(error: Any) -> Any:
    return error.get("message") if isinstance(error, dict) else error


def _empty_item(inputs: Inputs) -> list[Item]:
    """What alwaysOutputData puts out: one empty item that came from every input item."""
    pairs = [
        {"item": index, "input": number}
        for number, items in enumerate(inputs)
        for index in range(len(items or ()))
    ]
    return [{"json": {}, "pairedItem": pairs}]
