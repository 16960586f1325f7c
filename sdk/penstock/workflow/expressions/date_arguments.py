"""What date methods are given: units, durations, moments, zones, fields, presets."""

from typing import Any

from penstock.workflow.expressions import date_parse
from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import (
    is_missing,
    to_integer,
    to_string,
)
from penstock.workflow.expressions.dates import (
    DateTime,
    from_fields,
    zone_of,
)
from penstock.workflow.expressions.durations import (
    UNITS,
    Duration,
    InvalidUnitError,
    duration_from_object,
    unit_of,
)
from penstock.workflow.expressions.errors import JsErrorValue, JsThrow, throw_type
from penstock.workflow.expressions.members import argument
from penstock.workflow.expressions.numbers import is_number
from penstock.workflow.expressions.values import UNDEFINED, HostObject, JsDate
from penstock.workflow.expressions.zones import Zone, find_zone, fixed_zone

_DAY = {"year": "numeric", "month": "numeric", "day": "numeric"}
_MED = {**_DAY, "month": "short"}
_FULL = {**_DAY, "month": "long"}
_HUGE = {**_FULL, "weekday": "long"}
_MINUTES = {"hour": "numeric", "minute": "numeric"}
_SECONDS = {**_MINUTES, "second": "numeric"}
_H23 = {"hourCycle": "h23"}
_ZONE = {"timeZoneName": "short"}

PRESETS: dict[str, dict[str, Any]] = {
    "DATE_SHORT": _DAY,
    "DATE_MED": _MED,
    "DATE_MED_WITH_WEEKDAY": {**_MED, "weekday": "short"},
    "DATE_FULL": _FULL,
    "DATE_HUGE": _HUGE,
    "TIME_SIMPLE": _MINUTES,
    "TIME_WITH_SECONDS": _SECONDS,
    "TIME_WITH_SHORT_OFFSET": {**_SECONDS, **_ZONE},
    "TIME_WITH_LONG_OFFSET": {**_SECONDS, "timeZoneName": "long"},
    "TIME_24_SIMPLE": {**_MINUTES, **_H23},
    "TIME_24_WITH_SECONDS": {**_SECONDS, **_H23},
    "TIME_24_WITH_SHORT_OFFSET": {**_SECONDS, **_H23, **_ZONE},
    "TIME_24_WITH_LONG_OFFSET": {**_SECONDS, **_H23, "timeZoneName": "long"},
    "DATETIME_SHORT": {**_DAY, **_MINUTES},
    "DATETIME_SHORT_WITH_SECONDS": {**_DAY, **_SECONDS},
    "DATETIME_MED": {**_MED, **_MINUTES},
    "DATETIME_MED_WITH_SECONDS": {**_MED, **_SECONDS},
    "DATETIME_MED_WITH_WEEKDAY": {**_MED, **_MINUTES, "weekday": "short"},
    "DATETIME_FULL": {**_FULL, **_MINUTES, **_ZONE},
    "DATETIME_FULL_WITH_SECONDS": {**_FULL, **_SECONDS, **_ZONE},
    "DATETIME_HUGE": {**_HUGE, **_MINUTES, "timeZoneName": "long"},
    "DATETIME_HUGE_WITH_SECONDS": {**_HUGE, **_SECONDS, "timeZoneName": "long"},
}
"""`DateTime.DATE_FULL` and its like: options of `toLocaleString`."""


def unit_argument(value: Any) -> str:
    """A unit given by an expression; throws for other words."""
    try:
        return unit_of(to_string(value))
    except InvalidUnitError as error:
        raise JsThrow(JsErrorValue("Error", str(error))) from None


def duration_argument(value: Any) -> Duration:
    """A duration given as one, as an object, or as milliseconds."""
    if isinstance(value, Duration):
        return value
    if is_number(value):
        return Duration({"milliseconds": value})
    if type(value) is dict:
        try:
            return duration_from_object(value)
        except (InvalidUnitError, ValueError) as error:
            raise JsThrow(JsErrorValue("Error", str(error))) from None
    return throw_type(f"Unknown duration argument {to_string(value)}")


def moment_argument(context: Context, value: Any) -> DateTime:
    """A moment given as DateTime, Date, or local fields."""
    if isinstance(value, DateTime):
        return value
    zone = zone_of(context.scope)
    if isinstance(value, JsDate):
        return DateTime(value.ms, zone) if value.ms == value.ms else date_parse.unparsable(zone)
    if type(value) is dict:
        return from_object(value, zone)
    return throw_type(f"Unknown datetime argument: {to_string(value)}")


def zone_argument(context: Context, value: Any) -> Zone | None:
    """A zone given by name or offset; `None` for an unknown name."""
    if is_missing(value):
        return zone_of(context.scope)
    if isinstance(value, HostObject):
        value = value.get("name")
    if is_number(value):
        return fixed_zone(int(value))
    name = to_string(value).strip()
    if name.lower() in ("local", "system", "default"):
        return zone_of(context.scope)
    return find_zone(name)


def options_argument(arguments: list[Any], index: int) -> dict[str, Any]:
    given = argument(arguments, index)
    return given if type(given) is dict else {}


def option_zone(context: Context, options: dict[str, Any]) -> Zone | None:
    return zone_argument(context, options.get("zone", UNDEFINED))


FIELD_WORDS = ("year", "month", "day", "hour", "minute", "second", "millisecond")


def field_values(values: dict[str, Any]) -> dict[str, int]:
    fields: dict[str, int] = {}
    for word, number in values.items():
        if number is UNDEFINED or number is None:
            continue
        name = word.lower()
        singular = name if name in _SINGLE_UNITS else name.removesuffix("s")
        if singular not in _SINGLE_UNITS:
            raise JsThrow(JsErrorValue("Error", f"Invalid unit {word}"))
        fields[_SINGLE_UNITS[singular]] = to_integer(number)
    return fields


_SINGLE_UNITS = {name: name for name in FIELD_WORDS} | {
    "weekday": "weekday", "weeknumber": "weekNumber", "weekyear": "weekYear", "ordinal": "ordinal",
    "week": "weekNumber", "quarter": "quarter",
}  # fmt: skip


def from_object(values: dict[str, Any], zone: Zone) -> DateTime:
    return from_fields(field_values(values), zone)


def diff_units(value: Any) -> list[str]:
    """The units of a difference: one, several, or milliseconds."""
    if value is UNDEFINED:
        return ["milliseconds"]
    given = value if isinstance(value, list) else [value]
    wanted = {unit_argument(unit) for unit in given}
    return [unit for unit in UNITS if unit in wanted]
