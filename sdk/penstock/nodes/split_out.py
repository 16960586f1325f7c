"""Split Out: one item per element of a list (or value of an object) in a field."""

import re
from typing import Any

from penstock.nodes.included import names_of
from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.sdk.pairing import pointer
from penstock.sdk.parameters import as_object
from penstock.sdk.paths import get_path, unset_path
from penstock.subjects.messages import Item, Outcome
from penstock.workflow.expressions.convert import to_string
from penstock.workflow.expressions.values import UNDEFINED

_BINARY = "$binary"
_JSON_PREFIX = re.compile(r"\$json\.")


class SplitOut(Node):
    """Several fields are split side by side: their n-th elements make the n-th item."""

    type = "n8n-nodes-base.splitOut"

    def run(self, call: Call) -> Outcome:
        out: list[Item] = []
        for index, item in enumerate(call.items):
            out.extend(_split(call, item, index))
        return call.items_out(out)


def _split(call: Call, item: Item, index: int) -> list[Item]:
    fields = [
        _JSON_PREFIX.sub("", name.strip(), count=1)
        if name.strip().startswith("$json.")
        else name.strip()
        for name in to_string(call.param("fieldToSplitOut", index, "")).split(",")
    ]
    options = as_object(call.param("options", index))
    targets = names_of(options.get("destinationFieldName") or "")
    if targets and len(targets) != len(fields):
        raise NodeError(
            "If multiple fields to split out are given, the same number of destination fields "
            "must be given",
            item=index,
        )
    dots = options.get("disableDotNotation") is not True
    include = call.param("include", index, "noOtherFields")
    spreads = include == "noOtherFields" and len(fields) == 1 and not targets
    rows: list[Item] = []
    for number, name in enumerate(fields):
        target = targets[number] if targets else name
        for position, element in enumerate(_elements(item, name, dots=dots)):
            if position == len(rows):
                rows.append({"json": {}, "pairedItem": pointer(index)})
            _place(rows[position], name, target, element, spreads=spreads)
    if rows and include != "noOtherFields":
        _add_others(call, item, rows, (index, include, fields, dots))
    if options.get("includeBinary") and "binary" in item:
        for row in rows:
            row.setdefault("binary", item["binary"])
    return rows


def _elements(item: Item, name: str, *, dots: bool) -> list[Any]:
    if name == _BINARY:
        return [{key: entry} for key, entry in (item.get("binary") or {}).items()]
    value = get_path(item["json"], name, dots=dots)
    if value is UNDEFINED:
        return []
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else [value]


def _place(row: Item, name: str, target: str, element: Any, *, spreads: bool) -> None:
    if name == _BINARY:
        row.setdefault("binary", {}).update(element)
    elif spreads and isinstance(element, dict):
        row["json"] = {**row["json"], **element}
    elif spreads and isinstance(element, list):
        row["json"] = {**row["json"], **{str(n): entry for n, entry in enumerate(element)}}
    else:
        row["json"][target] = element


def _add_others(
    call: Call, item: Item, rows: list[Item], how: tuple[int, str, list[str], bool]
) -> None:
    index, include, fields, dots = how
    if include == "allOtherFields":
        rest = dict(item["json"])
        for name in fields:
            unset_path(rest, name, dots=dots)
        for row in rows:
            row["json"] = {**rest, **row["json"]}
        return
    names = names_of(call.param("fieldsToInclude", index, ""))
    if not names:
        raise NodeError("No fields specified", description="Add a field to include", item=index)
    for row in rows:
        for name in names:
            value = get_path(item["json"], name, dots=dots)
            if value is not UNDEFINED:
                row["json"][name] = value
