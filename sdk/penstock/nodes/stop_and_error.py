"""Stop and Error: the execution fails with an error of the author's choice."""

from typing import Any

from penstock.nodes.json_repair import NotJsonError, parse
from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.sdk.plain import plain, stringify
from penstock.subjects.messages import Outcome
from penstock.workflow.expressions.convert import to_string
from penstock.workflow.expressions.values import UNDEFINED


class StopAndError(Node):
    """Always fails."""

    type = "n8n-nodes-base.stopAndError"

    def run(self, call: Call) -> Outcome:
        if call.param("errorType", 0, "errorMessage") == "errorMessage":
            message = call.param("errorMessage", 0, "")
            raise NodeError("" if message is UNDEFINED else to_string(message))
        raise _from_object(plain(call.param("errorObject", 0, "")))


def _from_object(value: Any) -> NodeError:
    """The error that an object (or its JSON text) describes."""
    try:
        described = parse(value) if isinstance(value, str) else value
    except NotJsonError as error:
        return NodeError(f"The error object is not valid JSON: {error}")
    if not isinstance(described, dict):
        return NodeError(f"Error: {stringify(described)}")
    message = next(
        (described[key] for key in ("message", "description", "error") if described.get(key)), None
    )
    text = message if isinstance(message, str) else f"Error: {stringify(message or described)}"
    return NodeError(text, description=str(described.get("description") or ""), context=described)
