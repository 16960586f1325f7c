"""Map, Set and their weak forms."""

from typing import Any

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import is_missing
from penstock.workflow.expressions.errors import throw_type
from penstock.workflow.expressions.iteration import JsIterator, callback, iterate
from penstock.workflow.expressions.json_text import JSON_FORMS
from penstock.workflow.expressions.members import METHODS, PROPERTIES, argument
from penstock.workflow.expressions.values import UNDEFINED, JsMap, JsSet, Native, same_value_key


def make_map(context: Context, this: Any, arguments: list[Any]) -> JsMap:
    """`new Map(entries)`."""
    made = JsMap()
    source = argument(arguments, 0)
    for pair in [] if is_missing(source) else iterate(context, source):
        if not isinstance(pair, list):
            throw_type("Iterator value is not an entry object")
        _map_set(context, made, pair)
    return made


def make_set(context: Context, this: Any, arguments: list[Any]) -> JsSet:
    """`new Set(values)`."""
    made = JsSet()
    source = argument(arguments, 0)
    for value in [] if is_missing(source) else iterate(context, source):
        made.entries.setdefault(same_value_key(value), value)
    context.charge(len(made.entries) * 8)
    return made


def _map_set(context: Context, this: JsMap, arguments: list[Any]) -> JsMap:
    key = argument(arguments, 0)
    context.charge(64)
    this.entries[same_value_key(key)] = (key, argument(arguments, 1))
    return this


def _map_get(context: Context, this: JsMap, arguments: list[Any]) -> Any:
    found = this.entries.get(same_value_key(argument(arguments, 0)))
    return UNDEFINED if found is None else found[1]


def _set_add(context: Context, this: JsSet, arguments: list[Any]) -> JsSet:
    value = argument(arguments, 0)
    context.charge(64)
    this.entries.setdefault(same_value_key(value), value)
    return this


def _has(context: Context, this: Any, arguments: list[Any]) -> bool:
    return same_value_key(argument(arguments, 0)) in this.entries


def _delete(context: Context, this: Any, arguments: list[Any]) -> bool:
    return this.entries.pop(same_value_key(argument(arguments, 0)), None) is not None


def _clear(context: Context, this: Any, arguments: list[Any]) -> Any:
    this.entries.clear()
    return UNDEFINED


def _for_each(context: Context, this: Any, arguments: list[Any]) -> Any:
    call = callback(argument(arguments, 0)).call
    for entry in list(this.entries.values()):
        key, value = entry if isinstance(this, JsMap) else (entry, entry)
        call(UNDEFINED, [value, key, this])
    return UNDEFINED


def _map_list(part: int | None) -> Native:
    def apply(context: Context, this: JsMap, arguments: list[Any]) -> JsIterator:
        entries = this.entries.values()
        return JsIterator([list(e) if part is None else e[part] for e in entries])

    return apply


def _set_values(context: Context, this: JsSet, arguments: list[Any]) -> JsIterator:
    return JsIterator(list(this.entries.values()))


def _set_operation(keep: Any) -> Native:
    def apply(context: Context, this: JsSet, arguments: list[Any]) -> JsSet:
        other = argument(arguments, 0)
        if not isinstance(other, JsSet):
            throw_type("The argument is not a Set")
        made = JsSet()
        both = {**this.entries, **other.entries}
        made.entries = {
            k: v for k, v in both.items() if keep(k in this.entries, k in other.entries)
        }
        return made

    return apply


_SHARED: dict[str, Native] = {"has": _has, "delete": _delete, "clear": _clear, "forEach": _for_each}

METHODS[JsMap] = {
    **_SHARED,
    "get": _map_get,
    "set": _map_set,
    "keys": _map_list(0),
    "values": _map_list(1),
    "entries": _map_list(None),
}
METHODS[JsSet] = {
    **_SHARED,
    "add": _set_add,
    "keys": _set_values,
    "values": _set_values,
    "entries": lambda context, this, arguments: JsIterator([[v, v] for v in this.entries.values()]),
    "union": _set_operation(lambda a, b: True),
    "intersection": _set_operation(lambda a, b: a and b),
    "difference": _set_operation(lambda a, b: a and not b),
    "isSubsetOf": lambda context, this, arguments: set(this.entries) <= set(arguments[0].entries),
}
PROPERTIES[JsMap] = PROPERTIES[JsSet] = lambda context, value, name: (
    len(value.entries) if name == "size" else UNDEFINED
)
JSON_FORMS[JsMap] = JSON_FORMS[JsSet] = lambda value: {}
