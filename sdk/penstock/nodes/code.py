"""Code: the user's own JavaScript or Python, once for all items or once per item.

This file knows what the code's result must look like, in n8n's words; how code is run is the
business of `penstock.sdk.user_code`. What an item may hold beside `json` decides how a result is
read: as soon as one item has such a key, all must have only such keys.
"""

from typing import Any, ClassVar

from penstock.sdk import user_code
from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.sdk.user_code import UNDEFINED, Fault, Program
from penstock.subjects.messages import Item, Outcome
from penstock.workflow.plan import PlanNode

_ITEM_KEYS = frozenset({"json", "binary", "pairedItem", "error", "index"})

_DEFAULTS = {
    "all": (
        "for (const item of $input.all()) item.json.myNewField = 1;\nreturn $input.all();",
        'for item in _items:\n  item["json"]["my_new_field"] = 1\nreturn _items',
    ),
    "each": (
        "$input.item.json.myNewField = 1;\nreturn $input.item;",
        '_item["json"]["my_new_field"] = 1\nreturn _item',
    ),
}
"""What a new node's code does, which exports leave out."""


class Code(Node):
    """See the module's text."""

    type: ClassVar[str] = "n8n-nodes-base.code"
    versions: ClassVar[tuple[float, ...]] = (1, 2)
    tier = "process"

    def raw_parameters(self, version: float) -> frozenset[str]:
        return frozenset({"jsCode", "pythonCode", "mode", "language"})

    def run(self, call: Call) -> Outcome:
        program: Program = call.prepared(_program)
        if program.mode == "each":
            return call.items_out(_run_each(call, program))
        return call.items_out(_run_all(call, program))


def _program(node: PlanNode) -> Program:
    """All parameters are raw, so a node has one program for all of its runs."""
    given = node.parameters
    mode: user_code.Mode = "each" if given.get("mode") == "runOnceForEachItem" else "all"
    language = given.get("language", "javaScript")
    if language == "javaScript":
        return Program(str(given.get("jsCode", _DEFAULTS[mode][0])), mode=mode)
    return Program(
        str(given.get("pythonCode", _DEFAULTS[mode][1])),
        language="python",
        mode=mode,
        dot_access=language == "python",
    )


def _run_all(call: Call, program: Program) -> list[Item]:
    value = next(user_code.run(call, program))
    try:
        if isinstance(value, Fault):
            raise fault_error(value)
        return all_items(value)
    except NodeError as error:
        if not call.continues_on_fail:
            raise
        return [{"json": {"error": error.message}}]


def _run_each(call: Call, program: Program) -> list[Item]:
    out: list[Item] = []
    for index, value in enumerate(user_code.run(call, program)):
        try:
            if isinstance(value, Fault):
                raise fault_error(value, item=index)
            if value is not None:
                out.append({**single_item(value, index), "pairedItem": {"item": index}})
        except NodeError as error:
            if not call.continues_on_fail:
                raise
            out.append(call.error_item(error, index))
    return out


def fault_error(fault: Fault, *, item: int | None = None, word: str = "line") -> NodeError:
    """The node's error for a fault in user code: its message, and where it happened."""
    where = [f"{word} {fault.line}"] if fault.line else []
    if where and item is not None:
        where.append(f"for item {item}")
    message = fault.message
    if where and word == "line" and not fault.is_verbatim:
        message = _last_words(message)
    return NodeError(
        f"{message} [{', '.join(where)}]" if where else message,
        description=fault.description,
        item=item,
        name=fault.name if fault.name != "Error" else "NodeOperationError",
        context={"stack": fault.stack} if fault.stack else None,
    )


def _last_words(message: str) -> str:
    """What n8n shows of an error's message: the first line, without what stands before a colon."""
    first = message.partition("\n")[0]
    return first.partition(": ")[2] or first


def all_items(value: Any) -> list[Item]:
    """The items that code for all items returned; raises `NodeError` when they are none."""
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, dict) for item in items):
        raise NodeError(
            "Code doesn't return items properly",
            description="Please return an array of objects, one for each item you would like to "
            "output.",
        )
    if isinstance(value, list) and any(_ITEM_KEYS & item.keys() for item in items):
        for index, item in enumerate(items):
            _check_keys(item, index)
    out = wrapped(value)
    for index, item in enumerate(out):
        _check_item(item, index)
    return out


def single_item(value: Any, index: int) -> Item:
    """The item that code for one item returned; raises `NodeError` when it is none."""
    if isinstance(value, list):
        raise NodeError(
            f"Code doesn't return a single object [item {index}]",
            description="An array was returned instead. If you need to output multiple items, "
            "please use the 'Run Once for All Items' mode instead.",
            item=index,
        )
    if value is UNDEFINED or not isinstance(value, dict):
        shown = "undefined" if value is UNDEFINED else value
        raise NodeError(
            f"Code doesn't return an object [item {index}]",
            description="Please return an object representing the output item. "
            f"('{shown}' was returned instead.)",
            item=index,
        )
    item = wrapped([value])[0]
    _check_item(item, index)
    _check_keys(item, index)
    return item


def wrapped(value: Any) -> list[Item]:
    """A list of items out of what code returned: what has no `json` is taken for the json."""
    if isinstance(value, dict):
        return [value] if value.get("json") else [{"json": value}]
    items = value if isinstance(value, list) else [value]
    having = sum(isinstance(item, dict) and "json" in item for item in items)
    if having == len(items):
        return items
    if having:
        raise NodeError("Inconsistent item format")
    return [{"json": item} for item in items]


def _check_keys(item: Item, index: int) -> None:
    for key in item:
        if key not in _ITEM_KEYS and not key.startswith("__"):
            raise NodeError(
                f"Unknown top-level item key: {key} [item {index}]",
                description="Access the properties of an item under `.json`, e.g. `item.json`",
                item=index,
            )


def _check_item(item: Item, index: int) -> None:
    if not isinstance(item.get("json"), dict):
        raise NodeError(
            f"A 'json' property isn't an object [item {index}]",
            description="In the returned data, every key named 'json' must point to an object.",
            item=index,
        )
    if item.get("binary") is not None and not isinstance(item["binary"], dict):
        raise NodeError(
            f"A 'binary' property isn't an object [item {index}]",
            description="In the returned data, every key named 'binary' must point to an object.",
            item=index,
        )
