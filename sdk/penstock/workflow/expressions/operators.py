"""The operators of JavaScript on two values."""

import math
from collections.abc import Callable
from typing import Any

from penstock.workflow.expressions.convert import (
    TEXT_MAX,
    loose_equals,
    strict_equals,
    to_number,
    to_primitive,
    to_string,
)
from penstock.workflow.expressions.errors import throw_range, throw_type
from penstock.workflow.expressions.numbers import MAX_SAFE, tidy, to_int32, to_uint32
from penstock.workflow.expressions.values import BigInt, JsConstructor, JsSymbol

Binary = Callable[[Any, Any], Any]


def add(a: Any, b: Any) -> Any:
    """`a + b`."""
    ta, tb = type(a), type(b)
    if ta is str and tb is str:
        return _concat(a, b)
    if ta is int and tb is int:
        total = a + b
        return total if -MAX_SAFE <= total <= MAX_SAFE else float(total)
    a, b = to_primitive(a), to_primitive(b)
    if type(a) is str or type(b) is str:
        if isinstance(a, JsSymbol) or isinstance(b, JsSymbol):
            throw_type("Cannot convert a Symbol value to a string")
        return _concat(to_string(a), to_string(b))
    if isinstance(a, BigInt) and isinstance(b, BigInt):
        return BigInt(a.value + b.value)
    return tidy(to_number(a) + to_number(b))


def _concat(a: str, b: str) -> str:
    if len(a) + len(b) > TEXT_MAX:
        throw_range("Invalid string length")
    return a + b


def _arithmetic(compute: Binary) -> Binary:
    def apply(a: Any, b: Any) -> Any:
        a, b = to_primitive(a, "number"), to_primitive(b, "number")
        if isinstance(a, BigInt) and isinstance(b, BigInt):
            if compute is _power and b.value > 10_000:
                throw_range("Maximum BigInt size exceeded")
            return BigInt(int(compute(a.value, b.value)))
        try:
            return tidy(compute(to_number(a), to_number(b)))
        except OverflowError:
            return math.inf

    return apply


def _divide(a: float, b: float) -> float:
    if b:
        return a / b
    if a == 0 or a != a or b != b:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def _remainder(a: float, b: float) -> float:
    if not b or a != a or b != b or a in (math.inf, -math.inf):
        return math.nan
    if type(a) is int and type(b) is int:
        rest = abs(a) % abs(b)
        return rest if a >= 0 else (-rest or -0.0)
    return math.fmod(a, b)


def _power(a: float, b: float) -> float:
    if b != b or (abs(a) == 1 and b in (math.inf, -math.inf)):
        return math.nan
    try:
        result = float(a) ** float(b)
    except ZeroDivisionError:
        return math.inf
    return math.nan if isinstance(result, complex) else result


def less(a: Any, b: Any) -> bool | None:
    """`a < b`; `None` when the two cannot be compared (NaN)."""
    ta, tb = type(a), type(b)
    if (ta is int or ta is float) and (tb is int or tb is float):
        return None if a != a or b != b else a < b
    a, b = to_primitive(a, "number"), to_primitive(b, "number")
    if type(a) is str and type(b) is str:
        return _text_less(a, b)
    x = a.value if isinstance(a, BigInt) else to_number(a)
    y = b.value if isinstance(b, BigInt) else to_number(b)
    return None if x != x or y != y else x < y


def _text_less(a: str, b: str) -> bool:
    if a.isascii() or b.isascii():
        return a < b
    # UTF-16 order differs from code point order beyond the basic plane.
    return a.encode("utf-16-be", "surrogatepass") < b.encode("utf-16-be", "surrogatepass")


def less_than(a: Any, b: Any) -> bool:
    """`a < b`."""
    return less(a, b) is True


def greater_than(a: Any, b: Any) -> bool:
    """`a > b`."""
    return less(b, a) is True


def at_most(a: Any, b: Any) -> bool:
    """`a <= b`."""
    return less(b, a) is False


def at_least(a: Any, b: Any) -> bool:
    """`a >= b`."""
    return less(a, b) is False


def _bits(compute: Callable[[int, int], int]) -> Binary:
    def apply(a: Any, b: Any) -> Any:
        return to_int32(compute(to_int32(to_number(a)), to_int32(to_number(b))))

    return apply


def _shift_right_unsigned(a: Any, b: Any) -> int:
    return to_uint32(to_number(a)) >> (to_uint32(to_number(b)) & 31)


def instance_of(value: Any, constructor: Any) -> bool:
    """`value instanceof constructor`, for the built-in constructors."""
    if not isinstance(constructor, JsConstructor):
        throw_type("Right-hand side of 'instanceof' is not callable")
    return constructor.is_instance(value)


BINARY: dict[str, Binary] = {
    "+": add,
    "-": _arithmetic(lambda a, b: a - b),
    "*": _arithmetic(lambda a, b: a * b),
    "/": _arithmetic(_divide),
    "%": _arithmetic(_remainder),
    "**": _arithmetic(_power),
    "==": loose_equals,
    "!=": lambda a, b: not loose_equals(a, b),
    "===": strict_equals,
    "!==": lambda a, b: not strict_equals(a, b),
    "<": less_than,
    ">": greater_than,
    "<=": at_most,
    ">=": at_least,
    "&": _bits(lambda a, b: a & b),
    "|": _bits(lambda a, b: a | b),
    "^": _bits(lambda a, b: a ^ b),
    "<<": _bits(lambda a, b: a << (b & 31)),
    ">>": _bits(lambda a, b: a >> (b & 31)),
    ">>>": _shift_right_unsigned,
    "instanceof": instance_of,
}


def negate(value: Any) -> Any:
    """`-value`."""
    value = to_primitive(value, "number")
    if isinstance(value, BigInt):
        return BigInt(-value.value)
    number = to_number(value)
    return -number if number else (-0.0 if math.copysign(1.0, number) > 0 else 0)
