"""What can be iterated, and calling back into the expression from built-in methods."""

from typing import Any

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import to_string, typeof
from penstock.workflow.expressions.errors import throw_type
from penstock.workflow.expressions.text import has_astral
from penstock.workflow.expressions.values import UNDEFINED, JsFunction, JsMap, JsSet


class JsIterator:
    """A list that is handed out one by one (`matchAll`, `entries`, ...)."""

    __slots__ = ("position", "values")

    def __init__(self, values: list[Any]) -> None:
        self.values = values
        self.position = 0


def iterate(context: Context, value: Any) -> list[Any]:
    """The elements of an iterable, as a list; throws for what is not iterable."""
    kind = type(value)
    if kind is list:
        return value  # type: ignore[no-any-return]
    if kind is str:
        context.charge(len(value))
        return list(value)
    if kind is JsSet:
        return list(value.entries.values())
    if kind is JsMap:
        return [[key, item] for key, item in value.entries.values()]
    if kind is JsIterator:
        rest = value.values[value.position :]
        value.position = len(value.values)
        return rest  # type: ignore[no-any-return]
    return throw_type(f"{typeof(value)} {to_string(value)} is not iterable")


def callback(value: Any) -> JsFunction:
    """An argument that must be a function."""
    if not isinstance(value, JsFunction):
        throw_type(f"{to_string(value)} is not a function")
    return value


def array_like(context: Context, value: Any) -> list[Any]:
    """The elements of something iterable or with a `length` (`Array.from`)."""
    if type(value) is dict:
        length = value.get("length", 0)
        size = int(length) if type(length) in (int, float) and length == length else 0
        context.charge(max(size, 0) * 8)
        return [value.get(str(index), UNDEFINED) for index in range(size)]
    if type(value) in (int, float, bool):
        return []
    return iterate(context, value)


__all__ = ["JsIterator", "array_like", "callback", "has_astral", "iterate"]
