"""Respond to Webhook: answers the request that started the execution, then passes its input on.

The answer is an effect; whether somebody waits for it is the engine's business.
"""

from typing import Any

import msgspec

from penstock.nodes.json_repair import NotJsonError, parse
from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.sdk.parameters import entries
from penstock.sdk.paths import get_path, set_path
from penstock.sdk.plain import plain
from penstock.subjects.messages import Outcome, Respond
from penstock.workflow.expressions.convert import to_number, to_string
from penstock.workflow.expressions.values import UNDEFINED
from penstock.workflow.plan import Plan, PlanNode

_JSON_TYPE = "application/json; charset=utf-8"
_encode = msgspec.json.Encoder().encode
_EXAMPLE = '{\n  "myField": "value"\n}'


class RespondToWebhook(Node):
    """See the module's text. The second output, when enabled, holds the answer as an item."""

    type = "n8n-nodes-base.respondToWebhook"
    versions = (1, 1.1, 1.2, 1.3, 1.4, 1.5)
    effects = (Respond,)

    def run(self, call: Call) -> Outcome:
        items = call.items
        if call.version >= 1.1:
            _check_webhook(call)
        response = _response(call)
        call.effects.append(response)
        if not _has_response_output(call.node.parameters, call.version):
            return call.items_out(items)
        return call.items_out(items, [{"json": {"response": _told(response)}}])

    def outputs(self, parameters: dict[str, Any], version: float) -> int:
        return 2 if _has_response_output(parameters, version) else 1


_WEBHOOKS = frozenset(
    f"n8n-nodes-base.{name}" for name in ("webhook", "wait", "formTrigger", "form")
) | {"@n8n/n8n-nodes-langchain.chatTrigger"}


def _check_webhook(call: Call) -> None:
    """There must be something above that can have been called and waits for an answer."""
    message, description = call.prepared(lambda node: _problem(call.scope.plan, node))
    if message:
        raise NodeError(message, description=description)


def _problem(plan: Plan, node: PlanNode) -> tuple[str, str]:
    """What keeps the plan's webhooks from leaving their answer to `node`, and what to do."""
    above = [plan.nodes[n] for n in plan.ancestors[node.index]] if plan.ancestors else []
    callable_ = [node for node in above if node.type in _WEBHOOKS and not node.disabled]
    if not callable_:
        return (
            "No Webhook node found in the workflow",
            "Add a Webhook node that responds by using a Respond to Webhook node.",
        )
    modes = [node.parameters.get("responseMode", "onReceived") for node in callable_]
    if not any(mode == "responseNode" or str(mode).startswith("=") for mode in modes):
        return (
            "Webhook node not correctly configured",
            "Let the Webhook node respond by using a Respond to Webhook node.",
        )
    return "", ""


def _has_response_output(parameters: dict[str, Any], version: float) -> bool:
    return version == 1.3 or (version > 1.3 and parameters.get("enableResponseOutput") is True)


def _told(response: Respond) -> dict[str, Any]:
    """The answer as an item of the second output tells it."""
    is_json = response.headers.get("content-type", "").startswith("application/json")
    text = response.body.decode("utf-8", "replace")
    return {
        "body": parse(text) if is_json and text else text,
        "headers": response.headers,
        "statusCode": response.status,
    }


def _response(call: Call) -> Respond:
    kind = to_string(call.param("respondWith", 0, "firstIncomingItem"))
    make = _KINDS.get(kind)
    if make is None:
        raise NodeError(f'The Response Data option "{kind}" is not supported!')
    headers = _own_headers(call)
    code = call.option("options.responseCode", 0, 200)
    response: Respond = make(call)
    if kind == "redirect":
        code = call.option("options.responseCode", 0, 307)
    return Respond(_status(code), {**response.headers, **headers}, response.body, response.blob)


def _status(code: Any) -> int:
    number = to_number(code)
    return int(number) if 100 <= number <= 999 else 200


def _own_headers(call: Call) -> dict[str, str]:
    """The headers that the node sets, by lower-case name."""
    headers = entries(call.param("options"), "responseHeaders", "entries")
    return {
        to_string(entry["name"]).lower(): to_string(entry.get("value", ""))
        for entry in headers
        if entry.get("name")
    }


def _respond(body: Any) -> Respond:
    """An answer with a JSON body; text is sent as it is, with HTML's type as browsers expect."""
    if isinstance(body, str):
        return Respond(200, {"content-type": "text/html; charset=utf-8"}, body.encode())
    return Respond(200, {"content-type": _JSON_TYPE}, _encode(body))


def _keyed(call: Call, body: Any) -> Respond:
    key = call.option("options.responseKey", 0, "")
    if not key:
        return _respond(body)
    wrapped: dict[str, Any] = {}
    set_path(wrapped, to_string(key), body)
    return _respond(wrapped)


def _first_item(call: Call) -> Respond:
    return _keyed(call, call.items[0]["json"] if call.items else {})


def _all_items(call: Call) -> Respond:
    return _keyed(call, [item["json"] for item in call.items])


def _json(call: Call) -> Respond:
    body = plain(call.param("responseBody", 0, _EXAMPLE))
    if isinstance(body, str):
        try:
            body = parse(body)
        except NotJsonError as error:
            raise NodeError(
                "Invalid JSON in 'Response Body' field",
                description="Check that the syntax of the JSON in the 'Response Body' is valid",
            ) from error
    return Respond(200, {"content-type": _JSON_TYPE}, _encode(None if body is UNDEFINED else body))


def _text(call: Call) -> Respond:
    body = plain(call.param("responseBody", 0, ""))
    if isinstance(body, dict | list):
        return _respond(body)
    return _respond("" if body is None or body is UNDEFINED else to_string(body))


def _jwt(call: Call) -> Respond:
    raise NodeError(
        "Responding with a JWT needs a credential of the kind jwtAuth",
        description="Credentials are not available yet; respond with JSON or text instead.",
    )


def _redirect(call: Call) -> Respond:
    url = to_string(call.param("redirectURL", 0, ""))
    return Respond(307, {"location": url}, b"")


def _no_data(call: Call) -> Respond:
    return Respond(200, {}, b"")


def _binary(call: Call) -> Respond:
    binary = call.items[0].get("binary") if call.items else None
    if not binary:
        raise NodeError("No binary data exists on the first item!")
    if call.param("responseDataSource", 0, "automatically") == "set":
        name = to_string(call.param("inputFieldName", 0, "data"))
    else:
        name = next(iter(binary))
    entry = get_path(binary, name)
    if not isinstance(entry, dict) or not entry.get("id"):
        raise NodeError(f"The binary property '{name}' does not exist on the first item!")
    headers = {"content-type": str(entry.get("mimeType") or "application/octet-stream")}
    return Respond(200, headers, b"", str(entry["id"]))


_KINDS = {
    "firstIncomingItem": _first_item,
    "allIncomingItems": _all_items,
    "json": _json,
    "text": _text,
    "jwt": _jwt,
    "redirect": _redirect,
    "noData": _no_data,
    "binary": _binary,
}
