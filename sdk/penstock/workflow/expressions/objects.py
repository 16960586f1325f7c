"""`Object` and the methods that every object has."""

from typing import Any

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import (
    is_missing,
    is_object,
    strict_equals,
    to_string,
    typeof,
)
from penstock.workflow.expressions.errors import throw_type
from penstock.workflow.expressions.iteration import callback, iterate
from penstock.workflow.expressions.json_text import ordered
from penstock.workflow.expressions.members import (
    METHODS,
    argument,
    call_method,
    property_key,
    set_item,
)
from penstock.workflow.expressions.values import UNDEFINED, HostObject, Native


def own_entries(value: Any) -> list[tuple[str, Any]]:
    """The enumerable own properties of a value."""
    kind = type(value)
    if kind is dict:
        return ordered(value)
    if isinstance(value, (list, str)):
        return [(str(index), item) for index, item in enumerate(value)]
    if kind is HostObject:
        return [(name, value.get(name)) for name in value.keys()]  # noqa: SIM118
    if is_missing(value):
        throw_type("Cannot convert undefined or null to object")
    return []


def own_keys(value: Any) -> list[str]:
    """The names of the enumerable own properties of a value."""
    return [name for name, _ in own_entries(value)]


def _keys(context: Context, this: Any, arguments: list[Any]) -> list[Any]:
    return list(own_keys(argument(arguments, 0)))


def _values(context: Context, this: Any, arguments: list[Any]) -> list[Any]:
    return [item for _, item in own_entries(argument(arguments, 0))]


def _entries(context: Context, this: Any, arguments: list[Any]) -> list[Any]:
    found = [[name, item] for name, item in own_entries(argument(arguments, 0))]
    context.charge(len(found) * 8)
    return found


def _assign(context: Context, this: Any, arguments: list[Any]) -> Any:
    goal = argument(arguments, 0)
    if is_missing(goal):
        throw_type("Cannot convert undefined or null to object")
    for source in arguments[1:]:
        if not is_missing(source):
            for name, item in own_entries(source):
                set_item(context, goal, name, item)
    return goal


def _from_entries(context: Context, this: Any, arguments: list[Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for pair in iterate(context, argument(arguments, 0)):
        if not isinstance(pair, list):
            throw_type(f"Iterator value {to_string(pair)} is not an entry object")
        made[property_key(argument(pair, 0))] = argument(pair, 1)
    return made


def _group_by(context: Context, this: Any, arguments: list[Any]) -> dict[str, Any]:
    call = callback(argument(arguments, 1)).call
    groups: dict[str, Any] = {}
    for index, value in enumerate(iterate(context, argument(arguments, 0))):
        name = property_key(call(UNDEFINED, [value, index]))
        groups.setdefault(name, []).append(value)
    return groups


def _is(context: Context, this: Any, arguments: list[Any]) -> bool:
    a, b = argument(arguments, 0), argument(arguments, 1)
    if a != a and b != b:
        return True
    return strict_equals(a, b) and to_string(a) == to_string(b)


def has_own(value: Any, key: Any) -> bool:
    """Whether `value` has the own property `key`."""
    return to_string(key) in (value if type(value) is dict else own_keys(value))


def _has_own(context: Context, this: Any, arguments: list[Any]) -> bool:
    return has_own(argument(arguments, 0), argument(arguments, 1))


def _same(context: Context, this: Any, arguments: list[Any]) -> Any:
    return argument(arguments, 0)


def _create(context: Context, this: Any, arguments: list[Any]) -> dict[str, Any]:
    return {}


def make_object(context: Context, this: Any, arguments: list[Any]) -> Any:
    """`Object(value)`."""
    value = argument(arguments, 0)
    return {} if is_missing(value) else value


OBJECT_STATICS: dict[str, Native] = {
    "keys": _keys,
    "values": _values,
    "entries": _entries,
    "assign": _assign,
    "fromEntries": _from_entries,
    "groupBy": _group_by,
    "is": _is,
    "hasOwn": _has_own,
    "freeze": _same,
    "seal": _same,
    "preventExtensions": _same,
    "isFrozen": lambda context, this, arguments: False,
    "create": _create,
    "getOwnPropertyNames": _keys,
}


def _to_string(context: Context, this: Any, arguments: list[Any]) -> str:
    if typeof(this) == "object" and type(this) is dict:
        return to_string(this)
    return to_string(this)


METHODS[dict].update(
    {
        "hasOwnProperty": lambda context, this, arguments: has_own(this, argument(arguments, 0)),
        "propertyIsEnumerable": lambda context, this, arguments: has_own(
            this, argument(arguments, 0)
        ),
        "isPrototypeOf": lambda context, this, arguments: False,
        "toString": _to_string,
        "toLocaleString": lambda context, this, arguments: to_string(
            call_method(context, this, "toString", [])
        ),
        "valueOf": lambda context, this, arguments: this,
    }
)

__all__ = ["OBJECT_STATICS", "is_object", "own_entries", "own_keys"]
