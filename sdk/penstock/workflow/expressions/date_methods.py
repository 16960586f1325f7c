"""What expressions (and the Code node's bridge) can call on DateTime, Duration and Interval."""

import math
from collections.abc import Callable
from typing import Any

from penstock.workflow.expressions import date_format, date_parse
from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import (
    is_missing,
    to_integer,
    to_number,
    to_string,
    truthy,
)
from penstock.workflow.expressions.dates import (
    DateTime,
    Interval,
    from_fields,
    now,
    zone_of,
)
from penstock.workflow.expressions.durations import (
    UNITS,
    Duration,
    InvalidUnitError,
    duration_from_iso,
    duration_from_object,
    unit_of,
)
from penstock.workflow.expressions.errors import JsErrorValue, JsThrow, throw_type
from penstock.workflow.expressions.globals import CLASSES, ClassSpec
from penstock.workflow.expressions.js_date import make_ms
from penstock.workflow.expressions.locales import format_date, language_of
from penstock.workflow.expressions.members import METHODS, PROPERTIES, argument
from penstock.workflow.expressions.numbers import is_number, tidy
from penstock.workflow.expressions.values import UNDEFINED, HostObject, JsDate, Native
from penstock.workflow.expressions.zones import UTC_ZONE, Zone, find_zone, fixed_zone

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
        return _from_object(value, zone)
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


def _options(arguments: list[Any], index: int) -> dict[str, Any]:
    given = argument(arguments, index)
    return given if type(given) is dict else {}


def _option_zone(context: Context, options: dict[str, Any]) -> Zone | None:
    return zone_argument(context, options.get("zone", UNDEFINED))


# -- making ------------------------------------------------------------------------------------


def _reader(read: Callable[..., DateTime]) -> Native:
    def apply(context: Context, this: Any, arguments: list[Any]) -> DateTime:
        options = _options(arguments, 1)
        zone = _option_zone(context, options)
        text = argument(arguments, 0)
        if zone is None or is_missing(text):
            return date_parse.unparsable(zone or UTC_ZONE)
        keep = truthy(options.get("setZone", UNDEFINED))
        return read(to_string(text), zone, keep_zone=keep)

    return apply


def _from_format(context: Context, this: Any, arguments: list[Any]) -> DateTime:
    options = _options(arguments, 2)
    zone = _option_zone(context, options)
    if type(argument(arguments, 0)) is not str or type(argument(arguments, 1)) is not str:
        throw_type("fromFormat requires an input string and a format")
    if zone is None:
        return date_parse.unparsable(UTC_ZONE)
    keep = truthy(options.get("setZone", UNDEFINED))
    return date_parse.from_format(
        to_string(arguments[0]), to_string(arguments[1]), zone, keep_zone=keep
    )


def _from_ms(scale: float) -> Native:
    def apply(context: Context, this: Any, arguments: list[Any]) -> DateTime:
        number = argument(arguments, 0)
        if not is_number(number):
            throw_type(f"fromMillis requires a numerical input, but received a {to_string(number)}")
        zone = _option_zone(context, _options(arguments, 1)) or UTC_ZONE
        return _at(number * scale, zone)

    return apply


def _at(ms: float, zone: Zone) -> DateTime:
    return (
        DateTime(tidy(math.floor(ms)), zone) if math.isfinite(ms) else date_parse.unparsable(zone)
    )


def _from_date(context: Context, this: Any, arguments: list[Any]) -> DateTime:
    value = argument(arguments, 0)
    zone = _option_zone(context, _options(arguments, 1)) or UTC_ZONE
    if not isinstance(value, JsDate) or value.ms != value.ms:
        return date_parse.unparsable(zone)
    return DateTime(value.ms, zone)


_FIELD_WORDS = ("year", "month", "day", "hour", "minute", "second", "millisecond")


def _field_values(values: dict[str, Any]) -> dict[str, int]:
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


_SINGLE_UNITS = {name: name for name in _FIELD_WORDS} | {
    "weekday": "weekday", "weeknumber": "weekNumber", "weekyear": "weekYear", "ordinal": "ordinal",
    "week": "weekNumber", "quarter": "quarter",
}  # fmt: skip


def _from_object(values: dict[str, Any], zone: Zone) -> DateTime:
    return from_fields(_field_values(values), zone)


def _from_object_native(context: Context, this: Any, arguments: list[Any]) -> DateTime:
    zone = _option_zone(context, _options(arguments, 1)) or UTC_ZONE
    fields = _field_values(_options(arguments, 0))
    if fields and max(map(_FIELD_WORDS.index, set(fields) & set(_FIELD_WORDS)), default=0) >= 0:
        local = now(context.scope).in_zone(zone).fields()
        for name in _FIELD_WORDS:
            if name in fields:
                break
            fields[name] = local[name]
    return from_fields(fields, zone)


def _local(zone_of_call: Callable[[Context], Zone]) -> Native:
    def apply(context: Context, this: Any, arguments: list[Any]) -> DateTime:
        zone = zone_of_call(context)
        if arguments and type(arguments[-1]) is dict:
            zone = _option_zone(context, arguments[-1]) or zone
            arguments = arguments[:-1]
        if not arguments:
            return now(context.scope).in_zone(zone)
        names = _FIELD_WORDS[: len(arguments)]
        numbers = [to_integer(value) for value in arguments[:7]]
        return from_fields(dict(zip(names, numbers, strict=False)), zone)

    return apply


def _is_datetime(context: Context, this: Any, arguments: list[Any]) -> bool:
    return isinstance(argument(arguments, 0), DateTime)


def _extreme(pick: Callable[..., DateTime]) -> Native:
    def apply(context: Context, this: Any, arguments: list[Any]) -> Any:
        moments = [moment_argument(context, value) for value in arguments]
        return pick(moments, key=lambda m: m.ms) if moments else UNDEFINED

    return apply


# -- DateTime methods ----------------------------------------------------------------------------


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


def diff_units(value: Any) -> list[str]:
    """The units of a difference: one, several, or milliseconds."""
    if value is UNDEFINED:
        return ["milliseconds"]
    given = value if isinstance(value, list) else [value]
    wanted = {unit_argument(unit) for unit in given}
    return [unit for unit in UNITS if unit in wanted]


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
    given = _field_values(_options(arguments, 0))
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
    fields.update({name: given[name] for name in _FIELD_WORDS if name in given})
    return from_fields(fields, this.zone, this.locale)


def _days_in_month(year: int, month: int) -> int:
    import calendar

    extra, index = divmod(month - 1, 12)
    return calendar.monthrange(year + extra, index + 1)[1]


def _set_zone(context: Context, this: DateTime, arguments: list[Any]) -> DateTime:
    zone = zone_argument(context, argument(arguments, 0))
    if zone is None:
        return DateTime(math.nan, this.zone, reason="unsupported zone")
    options = _options(arguments, 1)
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
    locale = _options(arguments, 0).get("locale", this.locale)
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
    flags = _flags(_options(arguments, 0))
    date = date_format.to_iso_date(this, basic=flags["basic"])
    return f"{date}T{date_format.to_iso_time(this, **flags)}"


def _to_iso_time(context: Context, this: DateTime, arguments: list[Any]) -> Any:
    if not this.is_valid:
        return None
    return date_format.to_iso_time(this, **_flags(_options(arguments, 0)))


def _to_iso_date(context: Context, this: DateTime, arguments: list[Any]) -> Any:
    if not this.is_valid:
        return None
    return date_format.to_iso_date(this, basic=_flags(_options(arguments, 0))["basic"])


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
    options = _options(arguments, 0)
    if options.get("includeOffset") is False:
        return date_format.to_format(this, "yyyy-MM-dd HH:mm:ss.SSS")
    return date_format.to_format(this, "yyyy-MM-dd HH:mm:ss.SSS ZZ")


def _to_object(context: Context, this: DateTime, arguments: list[Any]) -> dict[str, Any]:
    return dict(this.fields()) if this.is_valid else {}


def _relative(context: Context, this: DateTime, arguments: list[Any]) -> Any:
    if not this.is_valid:
        return None
    base = _options(arguments, 0).get("base", UNDEFINED)
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

# -- Duration ------------------------------------------------------------------------------------


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


def _construct(context: Context, this: Any, arguments: list[Any]) -> DateTime:
    """`new DateTime(x)`, which nobody should write: whatever it is given, it is now."""
    if is_missing(argument(arguments, 0)):
        throw_type("Cannot read properties of undefined (reading 'zone')")
    return now(context.scope)


CLASSES["DateTime"] = ClassSpec(
    statics={
        "now": lambda context, this, arguments: now(context.scope),
        "local": _local(lambda context: zone_of(context.scope)),
        "utc": _local(lambda context: UTC_ZONE),
        "fromISO": _reader(date_parse.from_iso),
        "fromSQL": _reader(date_parse.from_sql),
        "fromRFC2822": _reader(date_parse.from_rfc2822),
        "fromHTTP": _reader(date_parse.from_http),
        "fromFormat": _from_format,
        "fromString": _from_format,
        "fromMillis": _from_ms(1),
        "fromSeconds": _from_ms(1000),
        "fromJSDate": _from_date,
        "fromObject": _from_object_native,
        "isDateTime": _is_datetime,
        "max": _extreme(max),
        "min": _extreme(min),
    },
    constants=dict(PRESETS),
    construct=_construct,
    is_instance=lambda value: isinstance(value, DateTime),
)
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
