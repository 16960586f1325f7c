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

PRESETS: dict[str, dict[str, Any]] = {
    "DATE_SHORT": {"year": "numeric", "month": "numeric", "day": "numeric"},
    "DATE_MED": {"year": "numeric", "month": "short", "day": "numeric"},
    "DATE_MED_WITH_WEEKDAY": {"year": "numeric", "month": "short", "day": "numeric", "weekday": "short"},
    "DATE_FULL": {"year": "numeric", "month": "long", "day": "numeric"},
    "DATE_HUGE": {"year": "numeric", "month": "long", "day": "numeric", "weekday": "long"},
    "TIME_SIMPLE": {"hour": "numeric", "minute": "numeric"},
    "TIME_WITH_SECONDS": {"hour": "numeric", "minute": "numeric", "second": "numeric"},
    "TIME_24_SIMPLE": {"hour": "numeric", "minute": "numeric", "hourCycle": "h23"},
    "TIME_24_WITH_SECONDS": {"hour": "numeric", "minute": "numeric", "second": "numeric", "hourCycle": "h23"},
    "TIME_24_WITH_SHORT_OFFSET": {
        "hour": "numeric", "minute": "numeric", "second": "numeric", "hourCycle": "h23",
        "timeZoneName": "short",
    },
    "DATETIME_SHORT": {
        "year": "numeric", "month": "numeric", "day": "numeric", "hour": "numeric", "minute": "numeric",
    },
    "DATETIME_MED": {
        "year": "numeric", "month": "short", "day": "numeric", "hour": "numeric", "minute": "numeric",
    },
    "DATETIME_FULL": {
        "year": "numeric", "month": "long", "day": "numeric", "hour": "numeric", "minute": "numeric",
        "timeZoneName": "short",
    },
    "DATETIME_HUGE": {
        "year": "numeric", "month": "long", "day": "numeric", "weekday": "long", "hour": "numeric",
        "minute": "numeric", "timeZoneName": "long",
    },
}  # fmt: skip


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
