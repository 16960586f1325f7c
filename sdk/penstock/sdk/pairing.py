"""Lineage of items: where each item came from, written in its `pairedItem`.

Before a node runs, each of its input items points at its own position (`{item, input}`), so that
what a node puts out always points into that node's own input. `paired_inputs` does this without
copying what is inside of items. After a run, `pair_outputs` fills in what the node left open.

The small `pairedItem` objects are shared between items: nobody may change one in place.
"""

from typing import Any

from penstock.subjects.messages import Item, Outputs

_SHARED = 1_024
_AT_FIRST_INPUT: list[dict[str, int]] = [{"item": index} for index in range(_SHARED)]
_FIRST = _AT_FIRST_INPUT[0]


def pointer(item: int, input_index: int = 0) -> dict[str, int]:
    """The `pairedItem` of an item that came from position `item` of an input."""
    if input_index:
        return {"item": item, "input": input_index}
    return _AT_FIRST_INPUT[item] if item < _SHARED else {"item": item}


def paired_input(items: list[Item], input_index: int) -> list[Item]:
    """The items of one input, each pointing at its own position there."""
    if len(items) == 1:  # by far the most frequent
        item = items[0]
        paired, own = item.get("pairedItem"), pointer(0, input_index) if input_index else _FIRST
        return items if paired is own or paired == own else [{**item, "pairedItem": own}]
    return [
        item
        if item.get("pairedItem") == (own := pointer(index, input_index))
        else {**item, "pairedItem": own}
        for index, item in enumerate(items)
    ]


def pair_outputs(outputs: Outputs, inputs: list[list[Item] | None]) -> None:
    """Give items without a `pairedItem` one where only one origin is possible.

    One input with one item: that item. One output with as many items as the only input: the same
    positions. Everything else stays open, and `.item` says so.
    """
    if len(inputs) != 1:
        return
    count = len(inputs[0] or ())
    for number, items in enumerate(outputs):
        if not items or all("pairedItem" in item for item in items):
            continue
        if count == 1:
            outputs[number] = [_with(item, pointer(0)) for item in items]
        elif len(outputs) == 1 and len(items) == count:
            outputs[number] = [_with(item, pointer(index)) for index, item in enumerate(items)]


def _with(item: Item, own: dict[str, int]) -> Item:
    return item if "pairedItem" in item else {**item, "pairedItem": own}


def origin(item: Item, inputs: list[list[Item] | None]) -> Item | None:
    """The input item that an output item came from, if it tells."""
    paired: Any = item.get("pairedItem")
    if isinstance(paired, list):
        paired = paired[0] if paired else None
    if isinstance(paired, int):
        paired = {"item": paired}
    if not isinstance(paired, dict):
        return None
    position, number = paired.get("item"), paired.get("input") or 0
    items = inputs[number] if isinstance(number, int) and number < len(inputs) else None
    if items is None or not isinstance(position, int) or position >= len(items):
        return None
    return items[position]
