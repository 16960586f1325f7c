"""Function: JavaScript over all items, n8n's older form of Code."""

from typing import Any, ClassVar

from penstock.nodes.code import fault_error
from penstock.sdk import user_code
from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.sdk.user_code import UNDEFINED, Fault, Program
from penstock.subjects.messages import Item, Outcome


class Function(Node):
    """The code sees `items` and returns an array of `{json}`."""

    type: ClassVar[str] = "n8n-nodes-base.function"
    versions: ClassVar[tuple[float, ...]] = (1, 2)
    tier = "process"

    def raw_parameters(self, version: float) -> frozenset[str]:
        return frozenset({"functionCode"})

    def run(self, call: Call) -> Outcome:
        source = str(call.param("functionCode", 0, "return items;"))
        value = next(user_code.run(call, Program(source, mode="function")))
        try:
            if isinstance(value, Fault):
                raise fault_error(value, word="Line")
            return call.items_out(_items(value))
        except NodeError as error:
            if not call.continues_on_fail:
                raise
            return call.items_out([{"json": {"error": error.message}}])


def _items(value: Any) -> list[Item]:
    if value is UNDEFINED:
        raise NodeError(
            "No data got returned. Always return an Array of items!", name="NodeOperationError"
        )
    if not isinstance(value, list):
        raise NodeError("Always an Array of items has to be returned!")
    for item in value:
        if not isinstance(item, dict) or "json" not in item:
            raise NodeError(
                'All returned items have to contain a property named "json"!'
                if isinstance(item, dict)
                else "All returned items have to be an object!"
            )
        if not isinstance(item["json"], dict):
            raise NodeError("The json-property has to be an object!")
        if item.get("binary") is not None and not isinstance(item["binary"], dict):
            raise NodeError("The binary-property has to be an object!")
    return value
