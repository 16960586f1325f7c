"""The methods of Duration and Interval."""

import math
from typing import Any

from penstock.workflow.expressions import date_format
from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import (
    to_number,
    to_string,
)
from penstock.workflow.expressions.date_arguments import (
    diff_units,
    duration_argument,
    moment_argument,
    unit_argument,
)
from penstock.workflow.expressions.dates import (
    Interval,
)
from penstock.workflow.expressions.durations import (
    UNITS,
    Duration,
    duration_from_iso,
)
from penstock.workflow.expressions.globals import CLASSES, ClassSpec
from penstock.workflow.expressions.members import METHODS, PROPERTIES, argument
from penstock.workflow.expressions.values import UNDEFINED, Native


def _duration_object(context: Context, this: Duration, arguments: list[Any]) -> dict[str, Any]:
    return dict(this.values)


def _shift_to(context: Context, this: Duration, arguments: list[Any]) -> Duration:
    return this.shift_to([unit_argument(unit) for unit in arguments])


def _duration_plus(sign: int) -> Native:
    def apply(context: Context, this: Duration, arguments: list[Any]) -> Duration:
        return this.plus(duration_argument(argument(arguments, 0)), sign)

    return apply


def _duration_format(context: Context, this: Duration, arguments: list[Any]) -> str:
    return (
        this.to_format(to_string(argument(arguments, 0))) if this.is_valid else "Invalid Duration"
    )


def _duration_set(context: Context, this: Duration, arguments: list[Any]) -> Duration:
    return Duration({**this.values, **duration_argument(argument(arguments, 0)).values})


METHODS[Duration] = {
    "as": lambda context, this, arguments: this.as_unit(unit_argument(argument(arguments, 0))),
    "get": lambda context, this, arguments: this.get(unit_argument(argument(arguments, 0))),
    "set": _duration_set,
    "shiftTo": _shift_to,
    "shiftToAll": lambda context, this, arguments: this.shift_to(
        [unit for unit in UNITS if unit != "quarters"]
    ),
    "plus": _duration_plus(1),
    "minus": _duration_plus(-1),
    "negate": lambda context, this, arguments: this.negate(),
    "normalize": lambda context, this, arguments: this.normalize(),
    "rescale": lambda context, this, arguments: this.rescale(),
    "toObject": _duration_object,
    "toMillis": lambda context, this, arguments: this.to_ms(),
    "valueOf": lambda context, this, arguments: this.to_ms(),
    "toISO": lambda context, this, arguments: this.to_iso() if this.is_valid else None,
    "toJSON": lambda context, this, arguments: this.to_iso() if this.is_valid else None,
    "toString": lambda context, this, arguments: to_string(this),
    "toHuman": lambda context, this, arguments: this.to_human(),
    "toFormat": _duration_format,
}


def _duration_property(context: Context, value: Duration, name: str) -> Any:
    if name in UNITS:
        return value.get(name)
    if name == "values":
        return dict(value.values)
    if name == "isValid":
        return value.is_valid
    if name == "invalidReason":
        return value.reason or None
    return UNDEFINED


PROPERTIES[Duration] = _duration_property

# -- Interval ------------------------------------------------------------------------------------


def _interval_length(context: Context, this: Interval, arguments: list[Any]) -> float:
    unit = diff_units(argument(arguments, 0))[0]
    return this.end.diff(this.start, [unit]).get(unit)


def _contains(context: Context, this: Interval, arguments: list[Any]) -> bool:
    return this.start.ms <= moment_argument(context, argument(arguments, 0)).ms < this.end.ms


def _interval_duration(context: Context, this: Interval, arguments: list[Any]) -> Duration:
    return this.end.diff(this.start, diff_units(argument(arguments, 0)))


def _between(context: Context, this: Any, arguments: list[Any]) -> Interval:
    return Interval(
        moment_argument(context, argument(arguments, 0)),
        moment_argument(context, argument(arguments, 1)),
    )


def _after(context: Context, this: Any, arguments: list[Any]) -> Interval:
    start = moment_argument(context, argument(arguments, 0))
    return Interval(start, start.plus(duration_argument(argument(arguments, 1))))


def _before(context: Context, this: Any, arguments: list[Any]) -> Interval:
    end = moment_argument(context, argument(arguments, 0))
    return Interval(end.plus(duration_argument(argument(arguments, 1)), -1), end)


def interval_iso(value: Interval) -> str:
    """`start/end`."""
    return f"{date_format.to_iso(value.start)}/{date_format.to_iso(value.end)}"


METHODS[Interval] = {
    "length": _interval_length,
    "count": lambda context, this, arguments: (
        math.floor(_interval_length(context, this, arguments)) + 1
    ),
    "contains": _contains,
    "toDuration": _interval_duration,
    "toISO": lambda context, this, arguments: interval_iso(this),
    "toString": lambda context, this, arguments: to_string(this),
}
PROPERTIES[Interval] = lambda context, value, name: {
    "start": value.start,
    "end": value.end,
    "isValid": value.start.ms <= value.end.ms,
}.get(name, UNDEFINED)


CLASSES["Duration"] = ClassSpec(
    statics={
        "fromObject": lambda context, this, arguments: duration_argument(argument(arguments, 0)),
        "fromMillis": lambda context, this, arguments: Duration(
            {"milliseconds": to_number(argument(arguments, 0))}
        ),
        "fromISO": lambda context, this, arguments: duration_from_iso(
            to_string(argument(arguments, 0))
        ),
        "isDuration": lambda context, this, arguments: isinstance(argument(arguments, 0), Duration),
    },
    is_instance=lambda value: isinstance(value, Duration),
)
CLASSES["Interval"] = ClassSpec(
    statics={"fromDateTimes": _between, "after": _after, "before": _before},
    is_instance=lambda value: isinstance(value, Interval),
)
