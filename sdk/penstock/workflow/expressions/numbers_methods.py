"""The methods of JavaScript numbers and booleans."""

import math
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import to_integer, to_string
from penstock.workflow.expressions.errors import throw_range
from penstock.workflow.expressions.locales import format_number
from penstock.workflow.expressions.members import METHODS, PROPERTIES, argument
from penstock.workflow.expressions.numbers import number_to_string, to_radix
from penstock.workflow.expressions.values import UNDEFINED, Native


def to_fixed(number: float, digits: int) -> str:
    """`toFixed`: the exact decimal expansion of the double, rounded half up."""
    if not 0 <= digits <= 100:
        throw_range("toFixed() digits argument must be between 0 and 100")
    if not math.isfinite(number) or abs(number) >= 1e21:
        return number_to_string(number)
    exact = Decimal(number).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    text = f"{exact:f}"
    # Negative zero keeps its sign only when the number itself was below zero.
    return text if number < 0 or not text.startswith("-") else text[1:]


def _to_fixed(context: Context, this: Any, arguments: list[Any]) -> str:
    return to_fixed(this, to_integer(argument(arguments, 0)))


def _to_precision(context: Context, this: Any, arguments: list[Any]) -> str:
    if argument(arguments, 0) is UNDEFINED or not math.isfinite(this):
        return number_to_string(this)
    digits = to_integer(arguments[0])
    if not 1 <= digits <= 100:
        throw_range("toPrecision() argument must be between 1 and 100")
    mantissa, exponent = f"{Decimal(this):.{digits - 1}e}".split("e")
    power = int(exponent)
    if power < -6 or power >= digits:
        return f"{mantissa}e{'+' if power >= 0 else '-'}{abs(power)}"
    return to_fixed(this, max(digits - 1 - power, 0))


def _to_exponential(context: Context, this: Any, arguments: list[Any]) -> str:
    digits = to_integer(argument(arguments, 0), -1)
    text = f"{this:.{digits}e}" if 0 <= digits <= 100 else f"{Decimal(number_to_string(this)):e}"
    mantissa, _, exponent = text.partition("e")
    power = int(exponent or 0)
    return f"{mantissa}e{'+' if power >= 0 else '-'}{abs(power)}"


def _to_string(context: Context, this: Any, arguments: list[Any]) -> str:
    radix = to_integer(argument(arguments, 0), 10)
    if not 2 <= radix <= 36:
        throw_range("toString() radix must be between 2 and 36")
    return number_to_string(this) if radix == 10 else to_radix(this, radix)


def _to_locale_string(context: Context, this: Any, arguments: list[Any]) -> str:
    return format_number(this, argument(arguments, 0), argument(arguments, 1))


_NUMBER_METHODS: dict[str, Native] = {
    "toFixed": _to_fixed,
    "toPrecision": _to_precision,
    "toExponential": _to_exponential,
    "toString": _to_string,
    "toLocaleString": _to_locale_string,
    "valueOf": lambda context, this, arguments: this,
}
METHODS[int] = METHODS[float] = _NUMBER_METHODS
METHODS[bool] = {
    "toString": lambda context, this, arguments: to_string(this),
    "valueOf": lambda context, this, arguments: this,
}
PROPERTIES[int] = PROPERTIES[float] = PROPERTIES[bool] = lambda context, value, name: UNDEFINED
