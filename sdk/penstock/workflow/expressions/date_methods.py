"""The methods and properties of a DateTime, as luxon has them."""

import math
from collections.abc import Callable
from typing import Any

from penstock.workflow.expressions import date_format
from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import (
    is_missing,
    to_string,
    truthy,
)
from penstock.workflow.expressions.date_arguments import (
    FIELD_WORDS,
    PRESETS,
    diff_units,
    duration_argument,
    field_values,
    moment_argument,
    options_argument,
    unit_argument,
    zone_argument,
)
from penstock.workflow.expressions.dates import (
    DateTime,
    Interval,
    from_fields,
    now,
    zone_of,
)
from penstock.workflow.expressions.durations import (
    Duration,
)
from penstock.workflow.expressions.errors import throw_type
from penstock.workflow.expressions.js_date import make_ms
from penstock.workflow.expressions.locales import format_date, language_of
from penstock.workflow.expressions.members import METHODS, PROPERTIES, argument
from penstock.workflow.expressions.numbers import tidy
from penstock.workflow.expressions.values import UNDEFINED, HostObject, JsDate, Native
from penstock.workflow.expressions.zones import UTC_ZONE


def _plus(sign: int) -> Native:
    def apply(context: Context, this: DateTime, arguments: list[Any]) -> DateTime:
        if argument(arguments, 0) is UNDEFINED:
            return this
        return this.plus(duration_argument(arguments[0]), sign)

    return apply


def _edge(method: Callable[[DateTime, str], DateTime]) -> Native:
    def apply(context: Context, this: DateTime, arguments: list[Any]) -> DateTime:
        return method(this, unit_argument(argument(arguments, 0)))

    return apply


def _diff(context: Context, this: DateTime, arguments: list[Any]) -> Duration:
    other = argument(arguments, 0)
    if is_missing(other):
        throw_type("Cannot read properties of undefined (reading 'isValid')")
    if not isinstance(other, (DateTime, JsDate)):
        return Duration({}, "created by diffing an invalid DateTime")
    return this.diff(moment_argument(context, other), diff_units(argument(arguments, 1)))


def _diff_now(context: Context, this: DateTime, arguments: list[Any]) -> Duration:
    return this.diff(now(context.scope), diff_units(argument(arguments, 0)))


def _set(context: Context, this: DateTime, arguments: list[Any]) -> DateTime:
    if not this.is_valid:
        return this
    given = field_values(options_argument(arguments, 0))
    fields = this.fields()
    if {"weekNumber", "weekYear", "weekday"} & set(given):
        return _set_week(this, given)
    if "quarter" in given:
        given["month"] = (given.pop("quarter") - 1) * 3 + (fields["month"] - 1) % 3 + 1
    if "ordinal" in given:
        base = from_fields({"year": given.get("year", fields["year"])}, UTC_ZONE)
        day = base.plus(Duration({"days": given.pop("ordinal") - 1})).local
        given.update(month=day.month, day=day.day)
    fields.update(given)
    if "day" not in given:
        fields["day"] = min(fields["day"], _days_in_month(fields["year"], fields["month"]))
    # Values beyond their range carry over, as in luxon.
    ms = make_ms([fields["year"], fields["month"] - 1, *list(fields.values())[2:]])
    overflown = DateTime(ms, UTC_ZONE)
    return (
        from_fields(overflown.fields(), this.zone, this.locale) if overflown.is_valid else overflown
    )


def _set_week(this: DateTime, given: dict[str, int]) -> DateTime:
    year, week, day = date_format.week(this)
    start = from_fields({"year": given.get("weekYear", year), "month": 1, "day": 4}, UTC_ZONE)
    monday = start.start_of("weeks")
    days = (given.get("weekNumber", week) - 1) * 7 + given.get("weekday", day) - 1
    local = monday.plus(Duration({"days": days})).local
    fields = this.fields()
    fields.update(year=local.year, month=local.month, day=local.day)
    fields.update({name: given[name] for name in FIELD_WORDS if name in given})
    return from_fields(fields, this.zone, this.locale)


def _days_in_month(year: int, month: int) -> int:
    import calendar

    extra, index = divmod(month - 1, 12)
    return calendar.monthrange(year + extra, index + 1)[1]


def _set_zone(context: Context, this: DateTime, arguments: list[Any]) -> DateTime:
    zone = zone_argument(context, argument(arguments, 0))
    if zone is None:
        return DateTime(math.nan, this.zone, reason="unsupported zone")
    options = options_argument(arguments, 1)
    keep = options.get("keepLocalTime", options.get("keepCalendarTime", UNDEFINED))
    return this.in_zone(zone, keep_local=truthy(keep))


def _set_locale(context: Context, this: DateTime, arguments: list[Any]) -> DateTime:
    locale = argument(arguments, 0)
    if not is_missing(locale) and type(locale) is not str:
        throw_type("Incorrect locale information provided")
    if not this.is_valid:
        return this
    return DateTime(this.ms, this.zone, language_of(locale), this.reason)


def _reconfigure(context: Context, this: DateTime, arguments: list[Any]) -> DateTime:
    locale = options_argument(arguments, 0).get("locale", this.locale)
    return DateTime(this.ms, this.zone, to_string(locale), this.reason)


def _text(make: Callable[[DateTime], str]) -> Native:
    def apply(context: Context, this: DateTime, arguments: list[Any]) -> Any:
        return make(this) if this.is_valid else None

    return apply


def _flags(options: dict[str, Any]) -> dict[str, bool]:
    return {
        "offset": truthy(options.get("includeOffset", True)),
        "suppress_seconds": truthy(options.get("suppressSeconds", False)),
        "suppress_milliseconds": truthy(options.get("suppressMilliseconds", False)),
        "basic": options.get("format") == "basic",
    }


def _to_iso(context: Context, this: DateTime, arguments: list[Any]) -> Any:
    if not this.is_valid:
        return None
    flags = _flags(options_argument(arguments, 0))
    date = date_format.to_iso_date(this, basic=flags["basic"])
    return f"{date}T{date_format.to_iso_time(this, **flags)}"


def _to_iso_time(context: Context, this: DateTime, arguments: list[Any]) -> Any:
    if not this.is_valid:
        return None
    return date_format.to_iso_time(this, **_flags(options_argument(arguments, 0)))


def _to_iso_date(context: Context, this: DateTime, arguments: list[Any]) -> Any:
    if not this.is_valid:
        return None
    return date_format.to_iso_date(this, basic=_flags(options_argument(arguments, 0))["basic"])


def _to_format(context: Context, this: DateTime, arguments: list[Any]) -> str:
    return date_format.to_format(this, to_string(argument(arguments, 0)))


def _to_locale_string(context: Context, this: DateTime, arguments: list[Any]) -> str:
    if not this.is_valid:
        return "Invalid DateTime"
    options = argument(arguments, 0)
    given = options if type(options) is dict else PRESETS["DATE_SHORT"]
    return format_date(this, this.locale, given, default="any")


def _to_sql(context: Context, this: DateTime, arguments: list[Any]) -> Any:
    if not this.is_valid:
        return None
    options = options_argument(arguments, 0)
    if options.get("includeOffset") is False:
        return date_format.to_format(this, "yyyy-MM-dd HH:mm:ss.SSS")
    return date_format.to_format(this, "yyyy-MM-dd HH:mm:ss.SSS ZZ")


def _to_object(context: Context, this: DateTime, arguments: list[Any]) -> dict[str, Any]:
    return dict(this.fields()) if this.is_valid else {}


def _relative(context: Context, this: DateTime, arguments: list[Any]) -> Any:
    if not this.is_valid:
        return None
    base = options_argument(arguments, 0).get("base", UNDEFINED)
    start = moment_argument(context, base) if base is not UNDEFINED else now(context.scope)
    for unit in ("years", "months", "days", "hours", "minutes", "seconds"):
        count = math.trunc(this.diff(start, [unit]).get(unit))
        if abs(count) >= 1 or unit == "seconds":
            word = unit[:-1] if abs(count) == 1 else unit
            return f"in {count} {word}" if this.ms >= start.ms else f"{abs(count)} {word} ago"
    return None


def _relative_calendar(context: Context, this: DateTime, arguments: list[Any]) -> Any:
    if not this.is_valid:
        return None
    days = this.start_of("days").diff(
        now(context.scope).in_zone(this.zone).start_of("days"), ["days"]
    )
    count = round(days.get("days"))
    known = {0: "today", 1: "tomorrow", -1: "yesterday"}
    if count in known:
        return known[count]
    return f"in {count} days" if count > 0 else f"{-count} days ago"


def _has_same(context: Context, this: DateTime, arguments: list[Any]) -> bool:
    other, unit = (
        moment_argument(context, argument(arguments, 0)),
        unit_argument(argument(arguments, 1)),
    )
    if not this.is_valid or not other.is_valid:
        return False
    adjusted = this.in_zone(other.zone, keep_local=True)
    return adjusted.start_of(unit).ms <= other.ms <= adjusted.end_of(unit).ms


def _equals(context: Context, this: DateTime, arguments: list[Any]) -> bool:
    other = argument(arguments, 0)
    return isinstance(other, DateTime) and other.ms == this.ms and other.zone.name == this.zone.name


def _get(context: Context, this: DateTime, arguments: list[Any]) -> Any:
    return _datetime_property(context, this, to_string(argument(arguments, 0)))


def _until(context: Context, this: DateTime, arguments: list[Any]) -> Interval:
    return Interval(this, moment_argument(context, argument(arguments, 0)))


METHODS[DateTime] = {
    "plus": _plus(1),
    "minus": _plus(-1),
    "startOf": _edge(DateTime.start_of),
    "endOf": _edge(DateTime.end_of),
    "diff": _diff,
    "diffNow": _diff_now,
    "set": _set,
    "get": _get,
    "setZone": _set_zone,
    "setLocale": _set_locale,
    "reconfigure": _reconfigure,
    "toUTC": lambda context, this, arguments: this.in_zone(UTC_ZONE),
    "toLocal": lambda context, this, arguments: this.in_zone(zone_of(context.scope)),
    "toISO": _to_iso,
    "toISODate": _to_iso_date,
    "toISOTime": _to_iso_time,
    "toISOWeekDate": _text(lambda m: date_format.to_format(m, "kkkk-'W'WW-c")),
    "toFormat": _to_format,
    "toLocaleString": _to_locale_string,
    "toSQL": _to_sql,
    "toSQLDate": _text(lambda m: date_format.to_format(m, "yyyy-MM-dd")),
    "toSQLTime": _text(lambda m: date_format.to_format(m, "HH:mm:ss.SSS ZZ")),
    "toRFC2822": _text(date_format.to_rfc2822),
    "toHTTP": _text(date_format.to_http),
    "toMillis": lambda context, this, arguments: this.ms,
    "valueOf": lambda context, this, arguments: this.ms,
    "toSeconds": lambda context, this, arguments: tidy(this.ms / 1000),
    "toUnixInteger": lambda context, this, arguments: (
        math.floor(this.ms / 1000) if this.is_valid else math.nan
    ),
    "toJSON": _to_iso,
    "toString": lambda context, this, arguments: to_string(this),
    "toJSDate": lambda context, this, arguments: JsDate(this.ms),
    "toBSON": lambda context, this, arguments: JsDate(this.ms),
    "toObject": _to_object,
    "toRelative": _relative,
    "toRelativeCalendar": _relative_calendar,
    "hasSame": _has_same,
    "equals": _equals,
    "until": _until,
}

_DATETIME_PROPERTIES: dict[str, Callable[[DateTime], Any]] = {
    "year": lambda m: m.local.year,
    "month": lambda m: m.local.month,
    "day": lambda m: m.local.day,
    "hour": lambda m: m.local.hour,
    "minute": lambda m: m.local.minute,
    "second": lambda m: m.local.second,
    "millisecond": lambda m: m.millisecond,
    "quarter": lambda m: m.quarter,
    "weekday": lambda m: m.local.isoweekday(),
    "weekNumber": lambda m: date_format.week(m)[1],
    "weekYear": lambda m: date_format.week(m)[0],
    "ordinal": date_format.ordinal_day,
    "offset": lambda m: m.offset,
    "isInDST": date_format.in_daylight_saving,
    "isInLeapYear": lambda m: _days_in_month(m.local.year, 2) == 29,
    "isWeekend": lambda m: m.local.isoweekday() >= 6,
    "daysInMonth": lambda m: _days_in_month(m.local.year, m.local.month),
    "daysInYear": lambda m: 366 if _days_in_month(m.local.year, 2) == 29 else 365,
    "weeksInWeekYear": lambda m: date_format.week(
        from_fields({"year": m.local.year, "month": 12, "day": 28}, UTC_ZONE)
    )[1],
}
_DATETIME_TEXTS: dict[str, Callable[[DateTime], Any]] = {
    "zoneName": lambda m: m.zone.name,
    "monthShort": lambda m: date_format.to_format(m, "LLL"),
    "monthLong": lambda m: date_format.to_format(m, "LLLL"),
    "weekdayShort": lambda m: date_format.to_format(m, "EEE"),
    "weekdayLong": lambda m: date_format.to_format(m, "EEEE"),
    "offsetNameShort": date_format.zone_short,
    "offsetNameLong": date_format.zone_long,
}


def _datetime_property(context: Context, value: DateTime, name: str) -> Any:
    read = _DATETIME_PROPERTIES.get(name)
    if read is not None:
        if value.is_valid:
            return read(value)
        return False if name.startswith("is") else math.nan
    text = _DATETIME_TEXTS.get(name)
    if text is not None:
        return text(value) if value.is_valid else None
    if name == "ts":
        return value.ms
    if name == "c":
        return dict(value.fields()) if value.is_valid else None
    return _datetime_facts(value, name)


def _datetime_facts(value: DateTime, name: str) -> Any:
    if name == "isValid":
        return value.is_valid
    if name == "invalidReason":
        return value.reason or None
    if name == "invalidExplanation":
        return None
    if name == "locale":
        return value.locale
    if name == "isOffsetFixed":
        return value.zone.is_fixed
    if name == "zone":
        zone = value.zone
        return HostObject(
            "Zone",
            lambda key: {"name": zone.name, "zoneName": zone.name, "isValid": True}.get(
                key, UNDEFINED
            ),
            lambda: [],
        )
    return UNDEFINED


PROPERTIES[DateTime] = _datetime_property


__all__ = ["PRESETS"]
