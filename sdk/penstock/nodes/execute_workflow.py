"""Execute Workflow: calls another workflow and goes on with what it gave back.

The call is an effect: the engine starts the other workflow with the batches and makes its results
this node's output. A call that nobody waits for puts out its input.
"""

from typing import Any

from penstock.nodes.json_repair import NotJsonError, parse
from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.sdk.parameters import as_object, entries
from penstock.sdk.plain import plain
from penstock.subjects.messages import Call as CallEffect
from penstock.subjects.messages import Item, Outcome
from penstock.workflow.expressions.convert import to_string


class ExecuteWorkflow(Node):
    """Mode `once` passes all items in one call, `each` makes one call per item."""

    type = "n8n-nodes-base.executeWorkflow"
    versions = (1, 1.1, 1.2, 1.3, 1.4)
    effects = (CallEffect,)

    def run(self, call: Call) -> Outcome:
        source = call.param("source", 0, "database")
        workflow, document = "", None
        if source == "database":
            workflow = _workflow_id(call)
        elif source == "parameter":
            document = _document(call)
        else:
            raise NodeError(
                f"Workflows from '{source}' are not supported",
                description="Name a workflow of this instance, or give its JSON as a parameter.",
            )
        items = _mapped(call)
        is_each = call.param("mode", 0, "once") == "each"
        call.effects.append(
            CallEffect(
                workflow=workflow,
                batches=[[item] for item in items] if is_each else [items],
                wait=call.option("options.waitForSubWorkflow", 0, True) is not False,
                document=document,
                paired=is_each,
            )
        )
        return call.items_out(call.items)


def _workflow_id(call: Call) -> str:
    chosen = call.param("workflowId", 0, "")
    if isinstance(chosen, dict):  # a resource locator
        chosen = chosen.get("value")
    identifier = to_string(chosen) if chosen else ""
    if not identifier:
        raise NodeError("No workflow to call was given", description="Choose a workflow.")
    return identifier


def _document(call: Call) -> dict[str, Any]:
    value = plain(call.param("workflowJson", 0, ""))
    try:
        document = parse(value) if isinstance(value, str) else value
    except NotJsonError as error:
        raise NodeError(f"The workflow JSON is not valid: {error}") from error
    if not isinstance(document, dict):
        raise NodeError("The workflow JSON is not an object")
    return document


def _mapped(call: Call) -> list[Item]:
    """The items to pass: the declared inputs when the callee has some, else as they came."""
    if call.version < 1.2 or not entries(call.node.parameters, "workflowInputs", "schema"):
        return call.items
    return [_with_inputs(call, item, index) for index, item in enumerate(call.items)]


def _with_inputs(call: Call, item: Item, index: int) -> Item:
    inputs = as_object(call.param("workflowInputs", index))
    schema = entries(inputs, "schema")
    removed = {to_string(field.get("displayName")) for field in schema if field.get("removed")}
    values = as_object(plain(inputs.get("value")))
    if inputs.get("mappingMode") == "autoMapInputData":
        values = item["json"]
    return {**item, "json": {key: value for key, value in values.items() if key not in removed}}
