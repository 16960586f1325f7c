"""Answering the webhook request that waits for an execution, once.

When is decided by the response mode of the webhook that was called (the start node, or the Wait
node that was resumed): at once, when the last node has run, or by a Respond to Webhook node. What
is answered follows n8n, down to the texts, since callers compare them.
"""

import contextlib
from typing import Any

import msgspec

from penstock.actors.execution.effects import Answer
from penstock.actors.execution.state import RUNNING, State
from penstock.actors.execution.turn import Turn
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Item, ReplyTo, Respond, Resume
from penstock.workflow.expressions import ExpressionError
from penstock.workflow.scope import Scope

TAKEN_OVER = "The execution goes on for the call that resumed it, which gets its answer"

_encode = msgspec.json.Encoder().encode
_JSON = {"content-type": "application/json; charset=utf-8"}
_SETTINGS = (
    "responseMode",
    "responseData",
    "responseCode",
    "responsePropertyName",
    "responseBinaryPropertyName",
    "options",
)


def on_start(turn: Turn) -> bool:
    """Answer a request that does not wait for results; True when it was."""
    state = turn.state
    return _received(turn, state.answer_to, _webhook(state)) if state.answer_to else False


def on_resume(turn: Turn, signal: Resume) -> ReplyTo | None:
    """Answer a resuming call that does not wait for results; else give back who waits. An
    execution answers one request at its end: who waited before hears that another does now."""
    state = turn.state
    webhook = (state.sleep.webhook if state.sleep else None) or {}
    if _received(turn, signal.reply, webhook):
        return None
    if signal.reply is not None and state.answer_to is not None:
        turn.effects.append(Answer(state.answer_to, _message(202, TAKEN_OVER)))
    return signal.reply


def _received(turn: Turn, to: ReplyTo | None, webhook: dict[str, Any]) -> bool:
    if to is None or webhook.get("responseMode", "onReceived") != "onReceived":
        return False
    options = _options(webhook)
    if options.get("noResponseBody"):
        body = b""
    elif options.get("responseData"):
        body = _text(options["responseData"])
    else:
        body = _encode({"message": "Workflow was started"})
    turn.effects.append(Answer(to, Respond(_status(webhook), _headers(options), body)))
    return True


def by_node(turn: Turn, respond: Respond) -> bool:
    """Give a Respond node's answer to the request, if its webhook leaves the answer to nodes."""
    state = turn.state
    if state.answer_to is None or not _is_left_to_nodes(state):
        return False
    turn.effects.append(Answer(state.answer_to, respond))
    return True


def at_end(turn: Turn, error: ErrorInfo | None) -> None:
    """Answer the request that still waits when the execution is over."""
    state = turn.state
    if state.answer_to is None:
        return
    answer = _message(500, "Error in workflow")
    # Settings that cannot be evaluated any more answer the same.
    with contextlib.suppress(ExpressionError):
        if error is None:
            answer = _success(state)
    turn.effects.append(Answer(state.answer_to, answer))


def _success(state: State) -> Respond:
    webhook = _webhook(state)
    if webhook.get("responseMode") == "responseNode":
        return Respond(200, {}, b"")
    return _last_node(state, webhook)


def accepts(turn: Turn, signal: Resume) -> bool:
    """Whether a call resumes the execution; when not, it is told why."""
    state = turn.state
    webhook = state.sleep.webhook if state.sleep else None
    if state.status != RUNNING:
        refusal = _message(409, f'The execution "{state.info.id}" has finished already.')
    elif webhook is None:
        refusal = _message(409, f'The execution "{state.info.id}" is not waiting for a call.')
    elif (webhook.get("suffix") or "").strip("/") != signal.suffix.strip("/"):
        refusal = _message(404, f'The execution "{state.info.id}" waits at another path.')
    elif signal.method not in _methods(webhook):
        refusal = _message(404, f"This webhook is not registered for {signal.method} requests.")
    else:
        return True
    if signal.reply is not None:
        turn.effects.append(Answer(signal.reply, refusal))
    return False


def _methods(webhook: dict[str, Any]) -> list[str]:
    method = webhook.get("method") or "GET"
    return method if isinstance(method, list) else [method]


def _message(status: int, text: str) -> Respond:
    return Respond(status, _JSON, _encode({"message": text}))


def _webhook(state: State) -> dict[str, Any]:
    """The response settings in force, with expressions resolved."""
    if state.webhook is not None:
        return state.webhook
    start = state.plan.by_name.get(state.request.start, state.plan.start)
    if start < 0:
        return {}
    node = state.plan.nodes[start]
    items = state.request.items or [{"json": {}}]
    scope = Scope(
        state.plan, node, [items], [], state.runs, 0, state.started_ms, state.info, state.contexts
    )
    settings = {name: node.compiled[name](scope, 0) for name in _SETTINGS if name in node.compiled}
    if node.kind is None or "webhook" not in node.type.lower():
        settings.setdefault("responseMode", "lastNode")
    return settings


def _is_left_to_nodes(state: State) -> bool:
    try:
        return bool(_webhook(state).get("responseMode") == "responseNode")
    except ExpressionError:
        return False


def _options(webhook: dict[str, Any]) -> dict[str, Any]:
    return _group(webhook.get("options"))


def _group(value: Any) -> dict[str, Any]:
    """A group of settings; an expression may have put anything in its place."""
    return value if isinstance(value, dict) else {}


def _status(webhook: dict[str, Any]) -> int:
    """The response code: a root parameter up to version 1.1, an option from 2."""
    chosen = webhook.get("responseCode")
    values = _group(_group(_options(webhook).get("responseCode")).get("values"))
    if values:
        chosen = values.get("responseCode")
        if chosen == "customCode":
            chosen = values.get("customCode")
    try:
        status = int(chosen or 200)
    except (TypeError, ValueError, OverflowError):
        return 200
    return status if 100 <= status <= 599 else 200


def _headers(options: dict[str, Any], content_type: str = "") -> dict[str, str]:
    headers = {"content-type": content_type or _JSON["content-type"]}
    entries = _group(options.get("responseHeaders")).get("entries")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("name"):
            headers[str(entry["name"]).lower()] = str(entry.get("value") or "")
    return headers


def _last_node(state: State, webhook: dict[str, Any]) -> Respond:
    options = _options(webhook)
    status, headers = _status(webhook), _headers(options)
    items = (state.last_outputs[0] if state.last_outputs else None) or []
    wanted = webhook.get("responseData") or "firstEntryJson"
    if wanted == "noData":
        return Respond(status, {}, b"")
    if wanted == "allEntries":
        return Respond(status, headers, _encode([item.get("json") for item in items]))
    if not items:
        return Respond(500, _JSON, _encode({"code": 0, "message": "No item to return was found"}))
    if wanted == "firstEntryBinary":
        return _binary(webhook, status, items[0])
    value: Any = items[0].get("json")
    path = options.get("responsePropertyName") or webhook.get("responsePropertyName")
    for key in str(path).split(".") if path else ():
        value = value.get(key) if isinstance(value, dict) else None
    content_type = options.get("responseContentType")
    if content_type:
        return Respond(status, _headers(options, str(content_type)), _text(value))
    return Respond(status, headers, _encode(value))


def _binary(webhook: dict[str, Any], status: int, item: Item) -> Respond:
    name = webhook.get("responseBinaryPropertyName") or "data"
    entry = (item.get("binary") or {}).get(name)
    if not isinstance(entry, dict) or not entry.get("id"):
        message = f"The binary property '{name}' which should be returned does not exist"
        return Respond(500, _JSON, _encode({"code": 0, "message": message}))
    headers = _headers(_options(webhook), str(entry.get("mimeType") or "application/octet-stream"))
    return Respond(status, headers, b"", str(entry["id"]))


def _text(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else _encode(value)
