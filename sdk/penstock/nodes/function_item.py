"""Function Item: JavaScript once per item, n8n's older form of Code."""

from typing import Any, ClassVar

from penstock.nodes.code import fault_error
from penstock.sdk import user_code
from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.sdk.user_code import UNDEFINED, Fault, Program
from penstock.subjects.messages import Item, Outcome


class FunctionItem(Node):
    """The code sees `item`, the json of one item, and returns the json of the new one."""

    type: ClassVar[str] = "n8n-nodes-base.functionItem"
    versions: ClassVar[tuple[float, ...]] = (1, 2)
    tier = "process"

    def raw_parameters(self, version: float) -> frozenset[str]:
        return frozenset({"functionCode"})

    def run(self, call: Call) -> Outcome:
        source = str(call.param("functionCode", 0, "item.myNewField = 1;\nreturn item;"))
        out: list[Item] = []
        for index, value in enumerate(user_code.run(call, Program(source, mode="functionItem"))):
            try:
                out.append(_item(call, value, index))
            except NodeError as error:
                if not call.continues_on_fail:
                    raise
                out.append(call.error_item(error, index))
        return call.items_out(out)


def _item(call: Call, value: Any, index: int) -> Item:
    if isinstance(value, Fault):
        raise fault_error(value, item=index, word="Line")
    if value is UNDEFINED or value is None or not isinstance(value, dict):
        raise NodeError(
            "Not a valid return value. Code has to return an object!"
            if value not in (None, UNDEFINED)
            else "No data got returned. Always return an object!",
            item=index,
        )
    item: Item = {"json": value, "pairedItem": {"item": index}}
    binary = call.items[index].get("binary")
    if binary:
        item["binary"] = binary
    return item
