"""Merge in version 1: two inputs, by position, by key, or passed through."""

from typing import Any

from penstock.nodes.combining import combined_item, combiner
from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.sdk.paths import get_path
from penstock.subjects.messages import Item, Outcome
from penstock.workflow.expressions.convert import to_string, truthy
from penstock.workflow.expressions.values import UNDEFINED

_KEYED = ("keepKeyMatches", "mergeByKey", "removeKeyMatches")


class MergeV1(Node):
    """See the module's text."""

    type = "n8n-nodes-base.merge"
    versions = (1,)

    def run(self, call: Call) -> Outcome:
        mode = call.param("mode", 0, "append")
        first, second = call.input(0), call.input(1)
        if mode == "append":
            items = first + second
        elif mode == "mergeByIndex":
            items = _by_index(first, second, call.param("join", 0, "left"))
        elif mode == "multiplex":
            items = [_both(a, b, is_deep=True) for a in first for b in second]
        elif mode == "passThrough":
            items = second if call.param("output", 0, "input1") == "input2" else first
        elif mode == "wait":
            items = [{"json": {}}]
        elif mode in _KEYED:
            items = _by_key(call, mode)
        else:
            raise NodeError(f"The mode '{mode}' is not known")
        return call.items_out(items)


def _both(a: Item, b: Item, *, is_deep: bool) -> Item:
    combine = combiner({"mergeMode": "deepMerge" if is_deep else "shallowMerge"})
    return combined_item([a, b], combine, [a.get("pairedItem"), b.get("pairedItem")])


def _by_index(first: list[Item], second: list[Item], join: str) -> list[Item]:
    items = [_both(a, b, is_deep=False) for a, b in zip(first, second, strict=False)]
    if join in ("left", "outer"):
        items += first[len(items) :]
    if join == "outer":
        items += second[len(items) :]
    return items


def _by_key(call: Call, mode: str) -> list[Item]:
    name_1 = to_string(call.param("propertyName1", 0, ""))
    name_2 = to_string(call.param("propertyName2", 0, ""))
    first, second = call.input(0), call.input(1)
    if not _has_arrived(call, 1) or not name_1 or not name_2:
        return first
    by_key = {}
    for item in second:
        key = get_path(item["json"], name_2)
        if truthy(key):
            by_key[to_string(key)] = item
    overwrite = call.param("overwrite", 0, "always")
    items = []
    for item in first:
        key = get_path(item["json"], name_1)
        is_comparable = isinstance(key, str | int | float) and not isinstance(key, bool)
        other = by_key.get(to_string(key)) if is_comparable else None
        if mode == "mergeByKey":
            if is_comparable:
                items.append(_filled(item, other, name_2, overwrite))
        elif (other is not None) == (mode == "keepKeyMatches"):
            items.append(item)
    return items


def _has_arrived(call: Call, number: int) -> bool:
    inputs = call.scope.inputs
    return number < len(inputs) and inputs[number] is not None


def _filled(item: Item, other: Item | None, key_name: str, overwrite: str) -> Item:
    if other is None:
        return item
    json: dict[str, Any] = dict(item["json"])
    for name, value in other["json"].items():
        if name == key_name:
            continue
        old = json.get(name, UNDEFINED)
        is_wanted = (
            overwrite == "always"
            or (overwrite == "undefined" and old is UNDEFINED)
            or (overwrite == "blank" and (old is None or old is UNDEFINED or old == ""))
        )
        if is_wanted:
            json[name] = value
    return {**item, "json": json}
