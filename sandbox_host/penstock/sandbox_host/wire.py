"""Values of the language on their way between a realm and Python's runtime, as tagged JSON.

Plain data is itself; what JSON has no word for is an object with a `$` that names its kind. An
object of the user's that has a `$` of its own is wrapped, so that nobody can forge a kind. The
other half is `prelude/values.js`.
"""

import math
from typing import Any

from penstock.workflow.expressions.dates import DateTime, Interval
from penstock.workflow.expressions.durations import Duration
from penstock.workflow.expressions.errors import JsErrorValue
from penstock.workflow.expressions.values import (
    UNDEFINED,
    BigInt,
    HostObject,
    JsDate,
    JsFunction,
    JsMap,
    JsSet,
    same_value_key,
)
from penstock.workflow.expressions.zones import UTC_ZONE, find_zone

_PLAIN = frozenset({str, int, bool, type(None)})


def encode(value: Any) -> Any:
    """A value of Python's runtime as tagged JSON; functions become undefined."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is float:
        return value if math.isfinite(value) else {"$": "number", "v": _number_name(value)}
    if isinstance(value, list):
        return [encode(each) for each in value]
    if kind is dict:
        plain = {str(key): encode(each) for key, each in value.items() if each is not UNDEFINED}
        return {"$": "object", "v": plain} if "$" in plain else plain
    special = _ENCODERS.get(kind)
    return special(value) if special is not None else {"$": "undefined"}


def _number_name(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _encode_date_time(value: DateTime) -> Any:
    return {
        "$": "DateTime",
        "ms": value.ms if value.is_valid else None,
        "zone": value.zone.name,
        "locale": value.locale,
        "reason": value.reason,
    }


def _encode_duration(value: Duration) -> Any:
    return {"$": "Duration", "values": value.values, "reason": value.reason}


def _encode_interval(value: Interval) -> Any:
    return {"$": "Interval", "start": encode(value.start), "end": encode(value.end)}


def _encode_host_object(value: HostObject) -> Any:
    return encode({name: value.get(name) for name in value.keys()})  # noqa: SIM118


_ENCODERS: dict[type, Any] = {
    DateTime: _encode_date_time,
    Duration: _encode_duration,
    Interval: _encode_interval,
    HostObject: _encode_host_object,
    JsDate: lambda value: {"$": "Date", "v": value.ms if math.isfinite(value.ms) else None},
    BigInt: lambda value: {"$": "bigint", "v": str(value.value)},
    JsMap: lambda value: {
        "$": "Map",
        "v": [[encode(key), encode(each)] for key, each in value.entries.values()],
    },
    JsSet: lambda value: {"$": "Set", "v": [encode(each) for each in value.entries.values()]},
    JsFunction: lambda value: {"$": "undefined"},
}


def decode(value: Any) -> Any:
    """Tagged JSON as a value of Python's runtime; an unknown tag is undefined."""
    kind = type(value)
    if kind is list:
        return [decode(each) for each in value]
    if kind is not dict:
        return value
    tag = value.get("$")
    if tag is None:
        return {key: decode(each) for key, each in value.items()}
    special = _DECODERS.get(tag)
    return special(value) if special is not None else UNDEFINED


def _decode_date_time(value: dict[str, Any]) -> DateTime:
    zone = find_zone(str(value.get("zone", ""))) or UTC_ZONE
    ms = value.get("ms")
    return DateTime(
        math.nan if ms is None else ms,
        zone,
        str(value.get("locale") or "en-US"),
        str(value.get("reason") or ""),
    )


def _decode_duration(value: dict[str, Any]) -> Duration:
    return Duration(dict(value.get("values") or {}), str(value.get("reason") or ""))


def _decode_interval(value: dict[str, Any]) -> Any:
    start, end = decode(value.get("start")), decode(value.get("end"))
    if isinstance(start, DateTime) and isinstance(end, DateTime):
        return Interval(start, end)
    return UNDEFINED


def _decode_date(value: dict[str, Any]) -> JsDate:
    ms = value.get("v")
    return JsDate(math.nan if ms is None else ms)


def _decode_map(value: dict[str, Any]) -> JsMap:
    made = JsMap()
    for key, each in value.get("v") or ():
        made.entries[same_value_key(decode(key))] = (decode(key), decode(each))
    return made


def _decode_set(value: dict[str, Any]) -> JsSet:
    made = JsSet()
    for each in value.get("v") or ():
        made.entries[same_value_key(decode(each))] = decode(each)
    return made


_DECODERS: dict[str, Any] = {
    "undefined": lambda value: UNDEFINED,
    "number": lambda value: float(str(value.get("v", "nan")).replace("Infinity", "inf")),
    "object": lambda value: {key: decode(each) for key, each in (value.get("v") or {}).items()},
    "DateTime": _decode_date_time,
    "Duration": _decode_duration,
    "Interval": _decode_interval,
    "Date": _decode_date,
    "Map": _decode_map,
    "Set": _decode_set,
    "error": lambda value: JsErrorValue(str(value.get("name")), str(value.get("message"))),
    "bigint": lambda value: BigInt(int(value.get("v", 0))),
}
