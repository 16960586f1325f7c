"""Function: JavaScript over all items, n8n's older form of Code."""

from typing import Any, ClassVar

from penstock.nodes.code import fault_error, wrapped
from penstock.sdk import user_code
from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.sdk.user_code import UNDEFINED, Fault, Program
from penstock.subjects.messages import Item, Outcome

_DEFAULT = "for (item of items) item.json.myNewField = 1;\nreturn items;"


class Function(Node):
    """The code sees `items` and returns an array of `{json}`."""

    type: ClassVar[str] = "n8n-nodes-base.function"
    versions: ClassVar[tuple[float, ...]] = (1, 2)
    tier = "process"

    def raw_parameters(self, version: float) -> frozenset[str]:
        return frozenset({"functionCode"})

    def run(self, call: Call) -> Outcome:
        source = str(call.param("functionCode", 0, _DEFAULT))
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
    """The items that the code returned; objects without `json` are taken for the json."""
    if value is UNDEFINED:
        raise NodeError("No data got returned. Always return an Array of items!")
    if value is None:
        raise NodeError(f"Cannot read properties of null (reading 'json') [Line {_READS_JSON}]")
    items = wrapped(value)
    for item in items:
        if not isinstance(item.get("json"), (dict, list)):
            raise NodeError(f"The json-property has to be an object! [Line {_CHECKS_JSON}]")
        if item.get("binary") is not None and not isinstance(item["binary"], dict):
            raise NodeError("The binary-property has to be an object!")
    return items


# n8n adds the line at which an error was raised even when that is in its own source; people who
# look for these messages find them with the numbers.
_READS_JSON = 135
_CHECKS_JSON = 148
