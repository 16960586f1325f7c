"""Edit Fields (Set) from version 3 on: typed fields, or JSON text, on a choice of the input."""

from collections.abc import Callable
from typing import Any, NamedTuple

from penstock.nodes import field_types, json_fields
from penstock.nodes.field_types import INVALID
from penstock.nodes.included import Inclusion, inclusion_of
from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.sdk.pairing import pointer
from penstock.sdk.parameters import (
    as_object,
    entries,
    has_expressions,
    is_expression,
    leaf,
    settle,
)
from penstock.sdk.paths import set_path
from penstock.sdk.plain import plain, stringify
from penstock.sdk.transform import UnusualError
from penstock.subjects.errors import PenstockError
from penstock.subjects.messages import Item, Outcome, Outputs
from penstock.workflow.expressions.convert import to_string, truthy, typeof
from penstock.workflow.expressions.values import UNDEFINED
from penstock.workflow.plan import PlanNode, Resolver, Transform
from penstock.workflow.scope import Scope

_EARLIER = {
    "stringValue": "string",
    "numberValue": "number",
    "booleanValue": "boolean",
    "arrayValue": "array",
    "objectValue": "object",
}


_FITTING: dict[str, type] = {"string": str, "number": int, "boolean": bool}


class _Field(NamedTuple):
    """A field to set: its value is `resolve`d per item, then made to fit `kind`, which values of
    the class `fitting` do as they are."""

    name: str
    kind: str
    resolve: Resolver
    fitting: type | None


class _Prepared(NamedTuple):
    """What is the same for all items; `fields` None: they are to be resolved per item."""

    fields: list[_Field] | None
    inclusion: Inclusion | None
    ignores_errors: bool
    duplicates: bool


class Set(Node):
    """One output item per input item, with fields added or replaced."""

    type = "n8n-nodes-base.set"
    versions = (3, 3.1, 3.2, 3.3, 3.4, 3.5)

    def transform(self, node: PlanNode) -> Transform | None:
        prepared = _prepare(node)
        if node.parameters.get("mode", "manual") == "raw" or prepared.duplicates:
            return None
        return _transform(node, prepared)

    def run(self, call: Call) -> Outcome:
        prepared: _Prepared = call.prepared(_prepare)
        is_raw = call.node.parameters.get("mode", "manual") == "raw"
        make: Callable[[Call, _Prepared, int], dict[str, Any]] = _raw if is_raw else _manual
        out: list[Item] = []
        for index, item in enumerate(call.items):
            try:
                fields = make(call, prepared, index)
                inclusion = prepared.inclusion or _inclusion(call, index)
                out.append(_compose(item, fields, inclusion, index))
            except PenstockError as error:
                if not call.continues_on_fail:
                    raise
                # The second key, which n8n has too, keeps such items out of an error output.
                own = pointer(index)
                out.append({"json": {"error": error.message, "pairedItem": own}, "pairedItem": own})
        return call.items_out(_duplicated(call, out) if prepared.duplicates else out)


def _transform(node: PlanNode, prepared: _Prepared) -> Transform | None:
    fields, inclusion = prepared.fields, prepared.inclusion
    names = [field.name for field in fields or ()]
    if fields is None or inclusion is None or len(set(names)) < len(names):
        return None
    choose, _, keeps_binary = inclusion
    steps = [(*field, inclusion.dots and not field.name.isidentifier()) for field in fields]

    def set_fields(scope: Scope, items: list[Item]) -> Outputs:
        out: list[Item] = []
        for index, item in enumerate(items):
            json = choose(item["json"])
            for name, kind, resolve, fitting, is_path in steps:
                value = resolve(scope, index)
                if type(value) is not fitting:
                    how = (index, node.version, prepared.ignores_errors)
                    value = _fitting(name, kind, settle(value), how)
                if is_path:
                    set_path(json, name, value)
                else:
                    json[name] = value
            if "$error" in json:
                raise UnusualError
            made: Item = {"json": json, "pairedItem": pointer(index)}
            if keeps_binary and "binary" in item:
                made["binary"] = item["binary"]
            out.append(made)
        return [out]

    return set_fields


def _prepare(node: PlanNode) -> _Prepared:
    parameters = node.parameters
    options = as_object(parameters.get("options"))
    static = {
        key: value for key, value in parameters.items() if key not in ("assignments", "fields")
    }
    static.pop("jsonOutput", None)
    return _Prepared(
        fields=_fields(node),
        inclusion=None if has_expressions(static) else inclusion_of(node.version, parameters),
        ignores_errors=options.get("ignoreConversionErrors") is True,
        duplicates="duplicateItem" in parameters,
    )


def _fields(node: PlanNode) -> list[_Field] | None:
    """The fields, when only their values hold expressions."""
    found = _entries(node.parameters, node.version)
    holder = node.parameters.get("assignments" if node.version >= 3.3 else "fields")
    is_computed = is_expression(holder) or any(map(is_expression, as_object(holder).values()))
    if is_computed or any(has_expressions([one.get("name"), one.get("type")]) for one in found):
        return None
    return [_field(entry, node.version, leaf) for entry in found]


def _entries(parameters: dict[str, Any], version: float) -> list[dict[str, Any]]:
    group, name = ("assignments", "assignments") if version >= 3.3 else ("fields", "values")
    return entries(parameters, group, name)


_DEFAULTS = {"boolean": "true", "object": "={}"}


def _field(entry: dict[str, Any], version: float, side: Callable[[Any], Resolver]) -> _Field:
    name = to_string(entry.get("name", ""))
    if version >= 3.3:
        kind = to_string(entry.get("type", "string"))
        return _Field(name, kind, side(entry.get("value", UNDEFINED)), _FITTING.get(kind))
    key = to_string(entry.get("type", "stringValue"))
    kind = _EARLIER.get(key, key)
    raw = entry.get(key, _DEFAULTS.get(kind, ""))
    if kind == "object":
        # Only text of the document may hold expressions, never what one gave.
        text = raw if side is leaf else None
        return _Field(name, kind, json_fields.entry(side(raw), text, name), None)
    return _Field(name, kind, side(raw), _FITTING.get(kind))


def _manual(call: Call, prepared: _Prepared, index: int) -> dict[str, Any]:
    fields = prepared.fields
    if fields is None:
        fields = _resolved_fields(call, index)
    scope = call.scope
    # All are resolved before the first is checked: a failing expression goes before a wrong type.
    values = [field.resolve(scope, index) for field in fields]
    made = {}
    for (name, kind, _, fitting), value in zip(fields, values, strict=True):
        if type(value) is fitting:
            made[name] = value
        else:
            how = (index, call.version, prepared.ignores_errors)
            made[name] = _fitting(name, kind, settle(value), how)
    return made


def _resolved_fields(call: Call, index: int) -> list[_Field]:
    group = "assignments" if call.version >= 3.3 else "fields"
    parameters = {group: call.param(group, index)}
    constant: Callable[[Any], Resolver] = lambda value: lambda _scope, _item: value  # noqa: E731
    return [_field(entry, call.version, constant) for entry in _entries(parameters, call.version)]


def _fitting(name: str, kind: str, value: Any, how: tuple[int, float, bool]) -> Any:
    """The value in the field's type; an error tells the field, unless errors are ignored."""
    index, version, ignores_errors = how
    is_missing = value is None or value is UNDEFINED
    if is_missing and version >= 3.2:
        return None
    if kind == "string":
        made = _string(value, version)
    elif kind == "dateTime" or is_missing:
        made = None if is_missing else value
    else:
        made = field_types.convert(value, kind)
    if made is not INVALID or ignores_errors:
        made = plain(value if made is INVALID else made)
        return None if made is UNDEFINED else made
    raise NodeError(
        f"{field_types.mismatch(name, value, kind)} [item {index}]",
        item=index,
        description=f"Change the type of the field {name!r}, or ignore type conversion errors.",
    )


def _string(value: Any, version: float) -> Any:
    if value is None or value is UNDEFINED:
        return INVALID if version > 3 else to_string(value)
    return stringify(plain(value)) if typeof(value) == "object" else to_string(value)


def _raw(call: Call, prepared: _Prepared, index: int) -> dict[str, Any]:
    raw = call.node.parameters.get("jsonOutput", json_fields.EXAMPLE)
    text = json_fields.resolve_text(raw, call.scope, index)
    return json_fields.parse_object(text, "'JSON Output'", index)


def _inclusion(call: Call, index: int) -> Inclusion:
    names = ("include", "includeOtherFields", "includeFields", "excludeFields", "options")
    found = {name: call.param(name, index, UNDEFINED) for name in names}
    values = {name: value for name, value in found.items() if value is not UNDEFINED}
    return inclusion_of(call.version, values)


def _compose(item: Item, fields: dict[str, Any], inclusion: Inclusion, index: int) -> Item:
    json = inclusion.choose(item["json"])
    if inclusion.dots:
        for name, value in fields.items():
            if name.isidentifier():
                json[name] = value
            else:
                set_path(json, name, value)
    else:
        json.update(fields)
    out: Item = {"json": json, "pairedItem": pointer(index)}
    if inclusion.binary and "binary" in item:
        out["binary"] = item["binary"]
    return out


def _duplicated(call: Call, items: list[Item]) -> list[Item]:
    """Each item as often again as the node says: an aid for testing, in manual runs only."""
    if call.scope.execution.mode != "manual" or not truthy(call.param("duplicateItem", 0, False)):
        return items
    count = call.param("duplicateCount", 0, 0)
    copies = 1 + (int(count) if isinstance(count, int | float) and count > 0 else 0)
    return [item for item in items for _ in range(min(copies, 10_000))]
