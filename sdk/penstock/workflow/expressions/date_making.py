"""`DateTime`'s static methods: making moments from text, numbers, fields and dates."""

import math
from collections.abc import Callable
from typing import Any

from penstock.workflow.expressions import date_parse
from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import (
    is_missing,
    to_integer,
    to_string,
    truthy,
)
from penstock.workflow.expressions.date_arguments import (
    FIELD_WORDS,
    PRESETS,
    field_values,
    moment_argument,
    option_zone,
    options_argument,
)
from penstock.workflow.expressions.dates import (
    DateTime,
    from_fields,
    now,
    zone_of,
)
from penstock.workflow.expressions.errors import throw_type
from penstock.workflow.expressions.globals import CLASSES, ClassSpec
from penstock.workflow.expressions.members import argument
from penstock.workflow.expressions.numbers import is_number, tidy
from penstock.workflow.expressions.values import UNDEFINED, JsDate, Native
from penstock.workflow.expressions.zones import UTC_ZONE, Zone


def _reader(read: Callable[..., DateTime]) -> Native:
    def apply(context: Context, this: Any, arguments: list[Any]) -> DateTime:
        options = options_argument(arguments, 1)
        zone = option_zone(context, options)
        text = argument(arguments, 0)
        if zone is None or is_missing(text):
            return date_parse.unparsable(zone or UTC_ZONE)
        keep = truthy(options.get("setZone", UNDEFINED))
        return read(to_string(text), zone, keep_zone=keep)

    return apply


def _from_format(context: Context, this: Any, arguments: list[Any]) -> DateTime:
    options = options_argument(arguments, 2)
    zone = option_zone(context, options)
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
        zone = option_zone(context, options_argument(arguments, 1)) or UTC_ZONE
        return _at(number * scale, zone)

    return apply


def _at(ms: float, zone: Zone) -> DateTime:
    return (
        DateTime(tidy(math.floor(ms)), zone) if math.isfinite(ms) else date_parse.unparsable(zone)
    )


def _from_date(context: Context, this: Any, arguments: list[Any]) -> DateTime:
    value = argument(arguments, 0)
    zone = option_zone(context, options_argument(arguments, 1)) or UTC_ZONE
    if not isinstance(value, JsDate) or value.ms != value.ms:
        return date_parse.unparsable(zone)
    return DateTime(value.ms, zone)


def _from_object_native(context: Context, this: Any, arguments: list[Any]) -> DateTime:
    zone = option_zone(context, options_argument(arguments, 1)) or UTC_ZONE
    fields = field_values(options_argument(arguments, 0))
    if fields and max(map(FIELD_WORDS.index, set(fields) & set(FIELD_WORDS)), default=0) >= 0:
        local = now(context.scope).in_zone(zone).fields()
        for name in FIELD_WORDS:
            if name in fields:
                break
            fields[name] = local[name]
    return from_fields(fields, zone)


def _local(zone_of_call: Callable[[Context], Zone]) -> Native:
    def apply(context: Context, this: Any, arguments: list[Any]) -> DateTime:
        zone = zone_of_call(context)
        if arguments and type(arguments[-1]) is dict:
            zone = option_zone(context, arguments[-1]) or zone
            arguments = arguments[:-1]
        if not arguments:
            return now(context.scope).in_zone(zone)
        names = FIELD_WORDS[: len(arguments)]
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
