"""Aggregate: one item of all, with lists of their fields or of their whole data."""

from typing import Any

from penstock.nodes.included import names_of
from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.sdk.pairing import pointer
from penstock.sdk.parameters import as_object, entries
from penstock.sdk.paths import get_path, set_path
from penstock.subjects.messages import Item, Outcome
from penstock.workflow.expressions.convert import to_string
from penstock.workflow.expressions.values import UNDEFINED


class Aggregate(Node):
    """The item descends from all that went into it."""

    type = "n8n-nodes-base.aggregate"

    def run(self, call: Call) -> Outcome:
        kind = call.param("aggregate", 0, "aggregateIndividualFields")
        item = _fields(call) if kind == "aggregateIndividualFields" else _whole_items(call)
        options = as_object(call.param("options"))
        if options.get("includeBinaries"):
            sources = [call.items[paired["item"]] for paired in item["pairedItem"]]
            binary = _binaries(sources, only_unique=bool(options.get("keepOnlyUnique")))
            if binary:
                item["binary"] = binary
        return call.items_out([item])


def _fields(call: Call) -> Item:
    options = as_object(call.param("options"))
    dots = not options.get("disableDotNotation")
    default = {"fieldToAggregate": [{"fieldToAggregate": ""}]}
    chosen = entries(call.param("fieldsToAggregate", 0, default), "fieldToAggregate")
    if not chosen:
        raise NodeError("No fields specified", description="Add a field to aggregate")
    values: dict[str, list[Any]] = {}
    used: set[str] = set()
    for entry in chosen:
        field, new_name = to_string(entry.get("fieldToAggregate", "")), entry.get("outputFieldName")
        name = to_string(new_name or "") if entry.get("renameField") else field
        if name in used:
            raise NodeError(
                f"The '{name}' output field is used more than once",
                description="Make sure that each output field name is unique",
            )
        used.add(name)
        if field:
            last = field.rsplit(".", 1)[-1] if dots else field
            values[to_string(new_name) if new_name else last] = _column(call, field, options)
    json: dict[str, Any] = {}
    for name, column in values.items():
        set_path(json, name, column, dots=dots)
    return {"json": json, "pairedItem": [pointer(n) for n in range(len(call.items))]}


def _column(call: Call, field: str, options: dict[str, Any]) -> list[Any]:
    """The values of one field over all items."""
    keeps_missing, merges = options.get("keepMissing"), options.get("mergeLists")
    column: list[Any] = []
    for item in call.items:
        value = get_path(item["json"], field, dots=not options.get("disableDotNotation"))
        if value is UNDEFINED or value is None:
            if keeps_missing:
                column.append(None)
            continue
        if isinstance(value, list):
            if not keeps_missing:
                value = [entry for entry in value if entry is not None]
            if merges:
                column.extend(value)
                continue
        column.append(value)
    return column


def _whole_items(call: Call) -> Item:
    target = to_string(call.param("destinationFieldName", 0, "data"))
    include = call.param("include", 0, "allFields")
    wanted = names_of(call.param("fieldsToInclude", 0, "")) if include != "allFields" else []
    unwanted = names_of(call.param("fieldsToExclude", 0, "")) if include != "allFields" else []
    rows, paired = [], []
    for index, item in enumerate(call.items):
        row = item["json"]
        if wanted or unwanted:
            row = {
                key: value
                for key, value in row.items()
                if key not in unwanted and (not wanted or key in wanted)
            }
            if not row:
                continue
        rows.append(row)
        paired.append(pointer(index))
    return {"json": {target: rows}, "pairedItem": paired}


def _binaries(items: list[Item], *, only_unique: bool) -> dict[str, Any]:
    """All binaries; the second of a name becomes `name_1`, the same file twice counts once."""
    result: dict[str, Any] = {}
    seen: set[tuple[Any, ...]] = set()
    for item in items:
        for name, entry in (item.get("binary") or {}).items():
            facts = ("id", "fileName", "fileSize", "mimeType", "fileExtension")
            identity = tuple(entry.get(key) for key in facts)
            if only_unique and identity in seen:
                continue
            seen.add(identity)
            key, number = name, 1
            while key in result:
                key, number = f"{name}_{number}", number + 1
            result[key] = entry
    return result
