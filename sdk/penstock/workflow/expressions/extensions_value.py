"""Extension methods of numbers and booleans, and of anything."""

import math
from typing import Any

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import is_missing, to_integer
from penstock.workflow.expressions.dates import DateTime, zone_of
from penstock.workflow.expressions.errors import extension_error
from penstock.workflow.expressions.locales import format_number
from penstock.workflow.expressions.members import argument
from penstock.workflow.expressions.numbers import tidy
from penstock.workflow.expressions.numbers_methods import to_fixed
from penstock.workflow.expressions.values import UNDEFINED, Native


def _rounded(this: float, digits: int) -> float:
    return tidy(float(to_fixed(this, digits))) if math.isfinite(this) else this


def _round(context: Context, this: float, arguments: list[Any]) -> float:
    return _rounded(this, to_integer(argument(arguments, 0)))


def _integral(this: float, name: str) -> int:
    if not math.isfinite(this) or this != int(this):
        raise extension_error(f"{name}() is only callable on integers")
    return int(this)


def _is_even(context: Context, this: float, arguments: list[Any]) -> bool:
    return _integral(this, "isEven") % 2 == 0


def _is_odd(context: Context, this: float, arguments: list[Any]) -> bool:
    return _integral(this, "isOdd") % 2 == 1


def _whole(compute: Any) -> Native:
    def apply(context: Context, this: float, arguments: list[Any]) -> float:
        return compute(this) if math.isfinite(this) else this

    return apply


def _format(context: Context, this: float, arguments: list[Any]) -> str:
    return format_number(this, argument(arguments, 0), argument(arguments, 1))


_SCALES = {"ms": 1, "s": 1000, "us": 1 / 1000}


def _to_date_time(context: Context, this: float, arguments: list[Any]) -> DateTime:
    form = argument(arguments, 0)
    zone = zone_of(context.scope)
    if form == "excel":
        return DateTime(tidy(math.floor((this - 25569) * 86_400_000 + 0.5)), zone)
    if form is not UNDEFINED and form not in _SCALES:
        raise extension_error(
            f"Unsupported format '{form}'. toDateTime() supports 'ms', 's', 'us' and 'excel'."
        )
    return DateTime(tidy(math.floor(this * _SCALES.get(form, 1))), zone)


def _truncated(context: Context, this: float, arguments: list[Any]) -> float:
    return math.trunc(this) if math.isfinite(this) else this


def _identity(context: Context, this: Any, arguments: list[Any]) -> Any:
    return this


NUMBER: dict[str, Native] = {
    "ceil": _whole(math.ceil),
    "floor": _whole(math.floor),
    "format": _format,
    "round": _round,
    "abs": lambda context, this, arguments: abs(this),
    "toBoolean": lambda context, this, arguments: this != 0,
    "toInt": _truncated,
    "toFloat": _identity,
    "toDateTime": _to_date_time,
    "isInteger": lambda context, this, arguments: math.isfinite(this) and this == int(this),
    "isOdd": _is_odd,
    "isEven": _is_even,
}
BOOLEAN: dict[str, Native] = {
    "toBoolean": _identity,
    "toInt": lambda context, this, arguments: int(this),
    "toFloat": lambda context, this, arguments: int(this),
    "toNumber": lambda context, this, arguments: int(this),
    "toDateTime": lambda context, this, arguments: UNDEFINED,
}
GENERIC: dict[str, Native] = {
    "isEmpty": lambda context, this, arguments: is_missing(this) or this is False,
    "isNotEmpty": lambda context, this, arguments: not (is_missing(this) or this is False),
}
