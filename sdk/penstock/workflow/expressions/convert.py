"""Conversions and comparisons of JavaScript: String(), Number(), truthiness, ==, ===, typeof.

Classes of values register how they become a string and a number in `STRINGS` and `NUMBERS`, so
this module knows none of them by name and imports nothing of theirs.
"""

import math
from collections.abc import Callable
from typing import Any

from penstock.workflow.expressions.errors import JsErrorValue, throw_range, throw_type
from penstock.workflow.expressions.numbers import number_to_string, string_to_number, tidy
from penstock.workflow.expressions.values import (
    UNDEFINED,
    BigInt,
    HostObject,
    JsFunction,
    JsMap,
    JsSet,
    JsSymbol,
)

TEXT_MAX = 32_000_000
"""Longest string an expression may build, in characters."""

STRINGS: dict[type, Callable[[Any], str]] = {}
NUMBERS: dict[type, Callable[[Any], float]] = {}
PREFERS_STRING: set[type] = set()
"""Classes for which `+` and `==` ask for a string first (Date)."""


def to_string(value: Any) -> str:
    """JavaScript's `String(value)`."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is int or kind is float:
        return number_to_string(value)
    if kind is bool:
        return "true" if value else "false"
    if value is None:
        return "null"
    if kind is list:
        return join(value, ",")
    if kind is dict:
        return _object_to_string(value)
    convert = STRINGS.get(kind)
    if convert:
        return convert(value)
    return join(value, ",") if isinstance(value, list) else "[object Object]"


def _object_to_string(value: dict[str, Any]) -> str:
    for name in ("toString", "valueOf"):
        method = value.get(name)
        if isinstance(method, JsFunction):
            result = method.call(value, [])
            if type(result) not in (dict, list):
                return to_string(result)
    if "toString" in value and "valueOf" in value:
        throw_type("Cannot convert object to primitive value")
    return "[object Object]"


def join(values: list[Any], separator: str) -> str:
    """`Array.prototype.join`: null and undefined are empty."""
    parts = [
        ""
        if value is None or value is UNDEFINED
        else value
        if type(value) is str
        else to_string(value)
        for value in values
    ]
    size = sum(map(len, parts)) + len(separator) * len(parts)
    if size > TEXT_MAX:
        throw_range("Invalid string length")
    return separator.join(parts)


def to_number(value: Any) -> float:
    """JavaScript's `Number(value)`, but BigInts throw as in arithmetic."""
    kind = type(value)
    if kind is int or kind is float:
        return value  # type: ignore[no-any-return]
    if kind is str:
        return string_to_number(value)
    if kind is bool:
        return 1 if value else 0
    if value is None:
        return 0
    if value is UNDEFINED:
        return math.nan
    convert = NUMBERS.get(kind)
    if convert:
        return convert(value)
    primitive = to_primitive(value, "number")
    return math.nan if type(primitive) in (dict, list) else to_number(primitive)


def to_integer(value: Any, default: int = 0) -> int:
    """An index argument: undefined means `default`, NaN 0, infinities saturate."""
    if type(value) is int:
        return value
    if value is UNDEFINED:
        return default
    number = to_number(value)
    if number != number:
        return 0
    if number in (math.inf, -math.inf):
        return 2**53 if number > 0 else -(2**53)
    return int(number)


def truthy(value: Any) -> bool:
    """JavaScript's truthiness: unlike Python's, empty arrays and objects are true."""
    kind = type(value)
    if kind is bool:
        return value  # type: ignore[no-any-return]
    if kind is str or kind is int:
        return bool(value)
    if kind is float:
        return bool(value == value and value != 0)
    if kind is BigInt:
        return bool(value.value)
    return not (value is None or value is UNDEFINED)


def to_primitive(value: Any, hint: str = "default") -> Any:
    """An object's primitive value; primitives are returned as they are."""
    kind = type(value)
    if kind in _PRIMITIVES:
        return value
    if kind is dict:
        return _object_to_primitive(value, hint)
    if kind in NUMBERS and (hint == "number" or kind not in PREFERS_STRING) and hint != "string":
        return NUMBERS[kind](value)
    return to_string(value)


_PRIMITIVES = frozenset({str, int, float, bool, type(None), type(UNDEFINED), BigInt, JsSymbol})


def _object_to_primitive(value: dict[str, Any], hint: str) -> Any:
    for name in ("toString",) if hint == "string" else ("valueOf", "toString"):
        method = value.get(name)
        if isinstance(method, JsFunction):
            result = method.call(value, [])
            if type(result) in _PRIMITIVES:
                return result
    return "[object Object]"


def typeof(value: Any) -> str:
    """JavaScript's `typeof`."""
    kind = type(value)
    if kind is str:
        return "string"
    if kind is int or kind is float:
        return "number"
    if kind is bool:
        return "boolean"
    if value is UNDEFINED:
        return "undefined"
    if isinstance(value, JsFunction):
        return "function"
    if kind is BigInt:
        return "bigint"
    return "symbol" if kind is JsSymbol else "object"


_NUMERIC = frozenset({int, float})


def strict_equals(a: Any, b: Any) -> bool:
    """JavaScript's `===`."""
    ta, tb = type(a), type(b)
    if ta is tb:
        return a == b if ta in _BY_VALUE else a is b
    return ta in _NUMERIC and tb in _NUMERIC and a == b


_BY_VALUE = frozenset({str, int, float, bool, BigInt})


def loose_equals(a: Any, b: Any) -> bool:
    """JavaScript's `==`."""
    ta, tb = type(a), type(b)
    if ta is tb:
        return a == b if ta in _BY_VALUE else a is b
    a_missing = a is None or a is UNDEFINED
    b_missing = b is None or b is UNDEFINED
    if a_missing or b_missing:
        return a_missing and b_missing
    return _loose_primitives(to_primitive(a), to_primitive(b), a, b)


def _loose_primitives(pa: Any, pb: Any, a: Any, b: Any) -> bool:
    if pa is not a and pb is not b:
        return a is b  # two objects: only the same one is equal
    if isinstance(pa, JsSymbol) or isinstance(pb, JsSymbol):
        return pa is pb
    if type(pa) is str and type(pb) is str:
        return bool(pa == pb)
    if isinstance(pa, BigInt) or isinstance(pb, BigInt):
        return _big(pa) == _big(pb)
    return bool(to_number(pa) == to_number(pb))


def _big(value: Any) -> float:
    return value.value if isinstance(value, BigInt) else to_number(value)


def same_value_zero(a: Any, b: Any) -> bool:
    """The equality of `includes`: like `===`, but NaN equals itself."""
    return strict_equals(a, b) or (a != a and b != b)


def is_object(value: Any) -> bool:
    """Whether `value` is an object to the language (functions included)."""
    return type(value) not in _PRIMITIVES


def is_missing(value: Any) -> bool:
    """Whether `value` is null or undefined."""
    return value is None or value is UNDEFINED


def _error_to_string(value: JsErrorValue) -> str:
    return f"{value.kind}: {value.message}" if value.message else value.kind


def _symbol_to_string(value: JsSymbol) -> str:
    return f"Symbol({value.description})"


STRINGS.update(
    {
        type(UNDEFINED): lambda value: "undefined",
        BigInt: lambda value: str(value.value),
        JsSymbol: _symbol_to_string,
        JsErrorValue: _error_to_string,
        JsMap: lambda value: "[object Map]",
        JsSet: lambda value: "[object Set]",
        HostObject: lambda value: "[object Object]",
        JsFunction: lambda value: f"function {value.name}() {{ [native code] }}",
    }
)
NUMBERS[BigInt] = lambda value: throw_type("Cannot convert a BigInt value to a number")
NUMBERS[JsSymbol] = lambda value: throw_type("Cannot convert a Symbol value to a number")

__all__ = ["tidy", "to_number", "to_string"]
