"""Execute Workflow Trigger: another workflow starts this one with its items."""

from typing import Any

from penstock.nodes.json_repair import NotJsonError, parse
from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.sdk.parameters import entries
from penstock.subjects.messages import Outcome
from penstock.workflow.expressions.convert import to_string


class ExecuteWorkflowTrigger(Node):
    """From 1.1 on it may declare its inputs: only those pass, and missing ones are null."""

    type = "n8n-nodes-base.executeWorkflowTrigger"
    versions = (1, 1.1, 1.2)
    is_trigger = True

    def run(self, call: Call) -> Outcome:
        source = call.param("inputSource", 0, "workflowInputs" if call.version > 1 else "")
        if call.version <= 1 or source == "passthrough":
            return call.items_out(call.items)
        names = _example_names(call) if source == "jsonExample" else _declared_names(call)
        out = [
            {**item, "json": {name: item["json"].get(name) for name in names}}
            for item in call.items
        ]
        return call.items_out(out)


def _declared_names(call: Call) -> list[str]:
    values = entries(call.param("workflowInputs"), "values")
    return [to_string(entry.get("name", "")) for entry in values]


_EXAMPLE: dict[str, Any] = {
    "aField": "a string",
    "aNumber": 123,
    "thisFieldAcceptsAnyType": None,
    "anArray": [],
}


def _example_names(call: Call) -> list[str]:
    example = call.param("jsonExample", 0, _EXAMPLE)
    try:
        value = parse(example) if isinstance(example, str) else example
    except NotJsonError as error:
        raise NodeError(f"The JSON example is not valid: {error}") from error
    return list(value) if isinstance(value, dict) else []
