"""Extension methods of dates: JavaScript's Date and luxon's DateTime."""

from typing import Any

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import is_missing, to_integer, to_string
from penstock.workflow.expressions.date_arguments import duration_argument
from penstock.workflow.expressions.date_format import in_daylight_saving, to_format, week
from penstock.workflow.expressions.dates import DateTime, now, zone_of
from penstock.workflow.expressions.durations import UNITS, Duration
from penstock.workflow.expressions.errors import JsErrorValue, JsThrow, extension_error
from penstock.workflow.expressions.extensions_string import read_date_time
from penstock.workflow.expressions.js_date import parse_date
from penstock.workflow.expressions.members import argument
from penstock.workflow.expressions.numbers import is_number
from penstock.workflow.expressions.values import UNDEFINED, JsDate, Native

Moment = DateTime | JsDate

_UNITS = {
    "sec": "seconds", "secs": "seconds", "second": "seconds", "min": "minutes", "mins": "minutes",
    "minute": "minutes", "hrs": "hours", "hour": "hours", "day": "days", "week": "weeks",
    "month": "months", "year": "years", "quarter": "quarters", "millisecond": "milliseconds",
    "wk": "weeks", "yr": "years", "s": "seconds", "m": "minutes", "h": "hours", "d": "days",
    "w": "weeks", "M": "months", "y": "years", "ms": "milliseconds", "yrs": "years", "wks": "weeks",
    "hr": "hours", "days": "days", "nanosecond": "nanoseconds",
}  # fmt: skip


def _unit(value: Any, default: str) -> str:
    word = default if value is UNDEFINED else to_string(value)
    unit = _UNITS.get(word) or _UNITS.get(word.lower()) or word
    if unit not in UNITS:
        raise JsThrow(JsErrorValue("Error", f"Invalid unit {word}"))
    return unit


def as_moment(context: Context, value: Moment) -> DateTime:
    """A DateTime; a Date is seen in the workflow's zone."""
    return value if isinstance(value, DateTime) else DateTime(value.ms, zone_of(context.scope))


def _alike(original: Moment, moment: DateTime) -> Moment:
    return moment if isinstance(original, DateTime) else JsDate(moment.ms)


def _beginning_of(context: Context, this: Moment, arguments: list[Any]) -> Moment:
    moment = as_moment(context, this).start_of(_unit(argument(arguments, 0), "week"))
    return _alike(this, moment)


def _end_of_month(context: Context, this: Moment, arguments: list[Any]) -> Moment:
    return _alike(this, as_moment(context, this).end_of("months"))


_FIELDS = {
    "years": lambda m: m.local.year,
    "quarters": lambda m: m.quarter,
    "months": lambda m: m.local.month,
    "weeks": lambda m: week(m)[1],
    "days": lambda m: m.local.day,
    "hours": lambda m: m.local.hour,
    "minutes": lambda m: m.local.minute,
    "seconds": lambda m: m.local.second,
    "milliseconds": lambda m: m.millisecond,
}


def _extract(context: Context, this: Moment, arguments: list[Any]) -> Any:
    moment, word = as_moment(context, this), argument(arguments, 0)
    if word == "yearDayNumber":
        return moment.local.timetuple().tm_yday
    if word in ("weekday", "weekDay"):
        return moment.local.isoweekday()
    if word == "weekNumber":
        return week(moment)[1]
    return _FIELDS[_unit(word, "week")](moment)  # type: ignore[no-untyped-call]


def _format(context: Context, this: Moment, arguments: list[Any]) -> str:
    return to_format(as_moment(context, this), to_string(argument(arguments, 0)))


def _is_weekend(context: Context, this: Moment, arguments: list[Any]) -> bool:
    return as_moment(context, this).local.isoweekday() >= 6


def _is_dst(context: Context, this: Moment, arguments: list[Any]) -> bool:
    return in_daylight_saving(as_moment(context, this))


def _is_in_last(context: Context, this: Moment, arguments: list[Any]) -> bool:
    count = argument(arguments, 0)
    present = now(context.scope)
    unit = _unit(argument(arguments, 1), "minutes")
    since = present.plus(Duration({unit: 0 if count is UNDEFINED else to_integer(count)}), -1)
    return since.ms <= as_moment(context, this).ms <= present.ms


def _other_moment(context: Context, value: Any) -> DateTime | None:
    if isinstance(value, (DateTime, JsDate)):
        return as_moment(context, value)
    if type(value) is str:
        found = read_date_time(context, value)
        if found is not None:
            return found
        ms = parse_date(value)
        return DateTime(ms, zone_of(context.scope)) if ms == ms else None
    return None


def _is_between(context: Context, this: Moment, arguments: list[Any]) -> Any:
    if len(arguments) != 2:
        raise extension_error("isBetween(): expected exactly two args")
    ends = [_other_moment(context, value) for value in arguments]
    first, second = ends
    if first is None or second is None:
        return UNDEFINED
    ms = as_moment(context, this).ms
    return min(first.ms, second.ms) < ms < max(first.ms, second.ms)


def _moved(sign: int) -> Native:
    def apply(context: Context, this: Moment, arguments: list[Any]) -> Moment:
        amount = argument(arguments, 0)
        moment = as_moment(context, this)
        if type(amount) is dict or isinstance(amount, Duration):
            return _alike(this, moment.plus(duration_argument(amount), sign))
        if type(amount) is str:
            number = float(amount)
        elif is_number(amount):
            number = amount
        elif is_missing(amount):
            return _alike(this, moment)
        else:
            raise JsThrow(JsErrorValue("Error", f"Unknown duration argument {to_string(amount)}"))
        unit = _unit(argument(arguments, 1), "milliseconds")
        if number != number:
            raise JsThrow(JsErrorValue("Error", f"Invalid value NaN for {unit}"))
        return _alike(this, moment.plus(Duration({unit: number}), sign))

    return apply


def _difference(this: DateTime, other: DateTime, units: Any) -> Any:
    wanted = units if isinstance(units, list) else [units]
    names = {_unit(unit, "days") for unit in wanted}
    found = this.diff(other, [unit for unit in UNITS if unit in names])
    if isinstance(units, list):
        return dict(found.values)
    return found.get(next(iter(names)))


def _diff_to(context: Context, this: Moment, arguments: list[Any]) -> Any:
    other = _other_moment(context, argument(arguments, 0))
    if other is None:
        raise extension_error("diffTo(): expected a date")
    return _difference(as_moment(context, this), other, argument(arguments, 1))


def _diff_to_now(context: Context, this: Moment, arguments: list[Any]) -> Any:
    units = argument(arguments, 0)
    return _difference(as_moment(context, this), now(context.scope), units)


def _to_date_time(context: Context, this: Moment, arguments: list[Any]) -> DateTime:
    return as_moment(context, this)


def _milliseconds(context: Context, this: Moment, arguments: list[Any]) -> float:
    return this.ms


DATE: dict[str, Native] = {
    "beginningOf": _beginning_of,
    "endOfMonth": _end_of_month,
    "extract": _extract,
    "isBetween": _is_between,
    "isDst": _is_dst,
    "isInLast": _is_in_last,
    "isWeekend": _is_weekend,
    "minus": _moved(-1),
    "plus": _moved(1),
    "format": _format,
    "diffTo": _diff_to,
    "diffToNow": _diff_to_now,
    "toDateTime": _to_date_time,
    "toInt": _milliseconds,
    "toFloat": _milliseconds,
    "toBoolean": lambda context, this, arguments: UNDEFINED,
}

__all__ = ["DATE", "as_moment", "is_missing"]
