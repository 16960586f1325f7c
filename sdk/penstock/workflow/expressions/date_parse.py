"""Text to DateTime: ISO 8601, luxon's tokens, RFC 2822, HTTP, SQL."""

import datetime as _datetime
import math
import re
from functools import lru_cache
from typing import Any

from penstock.workflow.expressions.date_format import MONTHS, WEEKDAYS
from penstock.workflow.expressions.dates import DateTime, from_fields
from penstock.workflow.expressions.zones import UTC_ZONE, Zone, find_zone, fixed_zone

TEXT_MAX = 300
"""No date is longer; longer text is not looked at."""
_DATE = re.compile(
    r"(?P<year>[+-]\d{6}|\d{4})(?:"
    r"-?W(?P<week>\d{2})(?:-?(?P<weekday>\d))?"
    r"|-?(?P<ordinal>\d{3})(?!\d)"
    r"|-?(?P<month>\d{2})(?:-?(?P<day>\d{2}))?"
    r")?"
)
_TIME = re.compile(
    r"(?P<hour>\d{2})"
    r"(?::?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,30}))?)?)?"
    r"(?P<offset>Z|[+-]\d{2}(?::?\d{2})?)?(?:\[(?P<zone>[A-Za-z_/+-]+[0-9]*)\])?\Z",
    re.I,
)


def unparsable(zone: Zone) -> DateTime:
    """An invalid DateTime."""
    return DateTime(math.nan, zone, reason="unparsable")


def offset_minutes(text: str) -> int:
    """Minutes of `Z`, `+05`, `+05:30`, `+0530`."""
    if text.upper() == "Z":
        return 0
    digits = text[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:4] or 0)
    return -minutes if text[0] == "-" else minutes


def _fraction_ms(digits: str | None) -> int:
    return int((digits or "0")[:3].ljust(3, "0"))


def from_iso(text: str, zone: Zone, *, keep_zone: bool = False) -> DateTime:
    """ISO 8601; without an offset it is local to `zone`; `keep_zone` keeps the text's offset."""
    text = text.strip()
    date, time = _DATE.match(text), None
    fields: dict[str, int] | None = None
    if date is not None and date.end() == len(text):
        fields = _date_fields(date)
    elif date is not None and text[date.end()] in "Tt ":
        time = _TIME.match(text, date.end() + 1) if text[date.end()] in "Tt" else None
        fields = _date_fields(date) if time else None
    if fields is None:
        return unparsable(zone)
    if time is None:
        return from_fields(fields, zone)
    return _with_time(fields, time, zone, keep_zone=keep_zone)


def _with_time(
    fields: dict[str, int], time: "re.Match[str]", zone: Zone, *, keep_zone: bool
) -> DateTime:
    fields["hour"] = int(time["hour"])
    fields["minute"], fields["second"] = int(time["minute"] or 0), int(time["second"] or 0)
    fields["millisecond"] = _fraction_ms(time["fraction"])
    spoken = zone
    if time["offset"]:
        spoken = fixed_zone(offset_minutes(time["offset"]))
    elif time["zone"]:
        spoken = find_zone(time["zone"]) or zone
    is_end = fields["hour"] == 24 and not (fields["minute"] or fields["second"])
    if is_end:
        fields["hour"] = 0
    moment = from_fields(fields, spoken)
    if is_end and moment.is_valid:
        moment = moment.at(moment.ms + 86_400_000)
    if time["zone"] and keep_zone:
        return moment.in_zone(find_zone(time["zone"]) or zone)
    return moment if keep_zone else moment.in_zone(zone)


def _date_fields(found: "re.Match[str]") -> dict[str, int] | None:
    year = int(found["year"])
    try:
        if found["week"]:
            day = _datetime.date.fromisocalendar(
                year, int(found["week"]), int(found["weekday"] or 1)
            )
        elif found["ordinal"]:
            day = _datetime.date(year, 1, 1) + _datetime.timedelta(days=int(found["ordinal"]) - 1)
        else:
            return {"year": year, "month": int(found["month"] or 1), "day": int(found["day"] or 1)}
    except (ValueError, OverflowError):
        return None
    return {"year": day.year, "month": day.month, "day": day.day}


_RFC = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),\s)?(\d{1,2})\s"
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\s(\d{2,4})\s"
    r"(\d\d):(\d\d)(?::(\d\d))?\s(?:(UT|GMT|[ECMP][SD]T)|([Zz])|(?:([+-]\d\d)(\d\d)))\Z"
)
_OBSOLETE = {"EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360,
             "PST": -480, "PDT": -420}  # fmt: skip


def from_rfc2822(text: str, zone: Zone, *, keep_zone: bool = False) -> DateTime:
    """`Fri, 17 May 2024 09:08:07 -0400`."""
    if len(text) > TEXT_MAX:
        return unparsable(zone)
    text = re.sub(r"\([^()]*\)|[\n\t]", " ", text)
    found = _RFC.match(re.sub(r"\s\s+", " ", text).strip())
    if not found:
        return unparsable(zone)
    day, month, year, hour, minute, second, named_zone, _, hours, minutes = found.groups()
    offset = _OBSOLETE.get(named_zone or "", 0)
    if hours:
        offset = offset_minutes(hours + minutes)
    full = int(year) + (0 if len(year) > 2 else 2000 if int(year) <= 60 else 1900)
    names = [name[:3] for name in MONTHS]
    fields = {
        "year": full, "month": names.index(month) + 1, "day": int(day),
        "hour": int(hour), "minute": int(minute), "second": int(second or 0),
    }  # fmt: skip
    moment = from_fields(fields, fixed_zone(offset))
    return moment if keep_zone else moment.in_zone(zone)


_HTTP = (
    re.compile(r"(?:\w{3}), (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT\Z"),
    re.compile(r"(?:\w+day), (\d\d)-(\w{3})-(\d\d) (\d\d):(\d\d):(\d\d) GMT\Z"),
)
_ASCII = re.compile(r"\w{3} (\w{3}) ( \d|\d\d) (\d\d):(\d\d):(\d\d) (\d{4})\Z")


def from_http(text: str, zone: Zone, *, keep_zone: bool = False) -> DateTime:
    """The three forms of HTTP dates."""
    parts: tuple[str, ...] | None = None
    for pattern in _HTTP:
        found = pattern.match(text)
        if found:
            parts = found.groups()
    ascii_form = _ASCII.match(text)
    if ascii_form:
        month, day, hour, minute, second, year = ascii_form.groups()
        parts = (day, month, year, hour, minute, second)
    names = [name[:3] for name in MONTHS]
    if parts is None or parts[1] not in names:
        return unparsable(zone)
    year_number = int(parts[2]) + (
        0 if len(parts[2]) > 2 else 2000 if int(parts[2]) <= 60 else 1900
    )
    fields = {
        "year": year_number, "month": names.index(parts[1]) + 1, "day": int(parts[0]),
        "hour": int(parts[3]), "minute": int(parts[4]), "second": int(parts[5]),
    }  # fmt: skip
    moment = from_fields(fields, UTC_ZONE)
    return moment if keep_zone else moment.in_zone(zone)


_SQL = re.compile(
    r"(?:(\d{4})-(\d\d)-(\d\d))?(?:(?:\A| )(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,30}))?)?"
    r"(?:\s?(Z|[+-]\d\d:?(?:\d\d)?|[A-Za-z_]+/[A-Za-z_/]+|UTC))?)?\Z"
)


def from_sql(text: str, zone: Zone, *, keep_zone: bool = False) -> DateTime:
    """`2024-05-17 09:08:07.123 -04:00`."""
    found = _SQL.match(text.strip())
    if not found or not text.strip() or not found.group(1):
        return unparsable(zone)
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    fields = {
        "year": int(year), "month": int(month), "day": int(day), "hour": int(hour or 0),
        "minute": int(minute or 0), "second": int(second or 0),
        "millisecond": _fraction_ms(fraction),
    }  # fmt: skip
    if not offset:
        return from_fields(fields, zone)
    numeric = offset[0] in "+-" or offset.upper() == "Z"
    spoken = fixed_zone(offset_minutes(offset)) if numeric else find_zone(offset)
    if spoken is None:
        return unparsable(zone)
    moment = from_fields(fields, spoken)
    return moment if keep_zone else moment.in_zone(zone)


# -- by tokens -----------------------------------------------------------------------------------

_TOKENS = re.compile(r"'([^']*)'|(([A-Za-z])\3*)|(.)", re.S)
_ONE_TWO, _TWO, _THREE, _FOUR = r"\d{1,2}", r"\d{2}", r"\d{3}", r"\d{4}"


def _names(values: tuple[str, ...], size: int | None) -> str:
    return "|".join(re.escape(value[:size]) for value in values)


_PATTERNS: dict[str, tuple[str, str]] = {
    "y": (r"\d{1,6}", "year"), "yy": (r"\d{2,4}", "year2"), "yyyy": (_FOUR, "year"),
    "yyyyy": (r"\d{4,6}", "year"), "yyyyyy": (r"\d{6}", "year"),
    "M": (_ONE_TWO, "month"), "MM": (_TWO, "month"),
    "L": (_ONE_TWO, "month"), "LL": (_TWO, "month"),
    "MMM": (_names(MONTHS, 3), "month3"), "LLL": (_names(MONTHS, 3), "month3"),
    "MMMM": (_names(MONTHS, None), "monthname"), "LLLL": (_names(MONTHS, None), "monthname"),
    "d": (_ONE_TWO, "day"), "dd": (_TWO, "day"),
    "o": (r"\d{1,3}", "ordinal"), "ooo": (_THREE, "ordinal"),
    "H": (_ONE_TWO, "hour"), "HH": (_TWO, "hour"),
    "h": (_ONE_TWO, "hour12"), "hh": (_TWO, "hour12"),
    "m": (_ONE_TWO, "minute"), "mm": (_TWO, "minute"),
    "s": (_ONE_TWO, "second"), "ss": (_TWO, "second"),
    "S": (r"\d{1,3}", "millisecond"), "SSS": (_THREE, "millisecond"), "u": (r"\d{1,9}", "fraction"),
    "uu": (_ONE_TWO, "tenths"), "uuu": (r"\d", "tenths"),
    "a": (r"AM|PM", "meridiem"), "X": (r"[+-]?\d+(?:\.\d+)?", "seconds"), "x": (r"[+-]?\d+", "ms"),
    "E": (r"\d", "weekday"), "c": (r"\d", "weekday"),
    "EEE": (_names(WEEKDAYS, 3), "skip"), "ccc": (_names(WEEKDAYS, 3), "skip"),
    "EEEE": (_names(WEEKDAYS, None), "skip"), "cccc": (_names(WEEKDAYS, None), "skip"),
    "Z": (r"[+-]\d{1,2}(?::\d{2})?", "offset"), "ZZ": (r"[+-]\d{1,2}(?::\d{2})?", "offset"),
    "ZZZ": (r"[+-]\d{1,2}\d{2}", "offset"),
    "z": (r"[A-Za-z_+-]{1,256}(?:/[A-Za-z0-9_+-]{1,256}){0,2}", "zone"),
    "kkkk": (_FOUR, "weekyear"), "W": (_ONE_TWO, "week"), "WW": (_TWO, "week"),
    "q": (r"\d", "quarter"), "G": (r"AD|BC", "skip"),
}  # fmt: skip
_MACROS = {
    "D": "M/d/yyyy", "DD": "LLL d, yyyy", "DDD": "LLLL d, yyyy", "t": "h:mm a", "tt": "h:mm:ss a",
    "T": "HH:mm", "TT": "HH:mm:ss", "f": "M/d/yyyy, h:mm a", "F": "M/d/yyyy, h:mm:ss a",
}  # fmt: skip


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> tuple["re.Pattern[str]", tuple[str, ...]] | None:
    parts: list[str] = []
    fields: list[str] = []
    for found in _TOKENS.finditer(pattern):
        literal, token, _, other = found.groups()
        if token in _MACROS:
            inner = _pattern(_MACROS[token])
            assert inner is not None
            parts.append(inner[0].pattern.removesuffix(r"\Z"))
            fields.extend(inner[1])
        elif token in _PATTERNS:
            parts.append(f"({_PATTERNS[token][0]})")
            fields.append(_PATTERNS[token][1])
        elif token and len(token) > 0 and token[0] in "yMLdHhmsSuaEcZzkWqGoXx":
            return None
        else:
            text = literal if literal is not None else token or other
            parts.append(r"\s" if text in (" ", "\xa0", "\u202f") else re.escape(text))
    return re.compile("".join(parts) + r"\Z", re.I), tuple(fields)


def from_format(text: str, pattern: str, zone: Zone, *, keep_zone: bool = False) -> DateTime:
    """`text` read by luxon's tokens (English)."""
    compiled = _pattern(pattern)
    found = compiled[0].match(text) if compiled else None
    if not compiled or not found:
        return unparsable(zone)
    values = dict(zip(compiled[1], found.groups(), strict=True))
    if "ms" in values or "seconds" in values:
        ms = float(values["ms"]) if "ms" in values else float(values["seconds"]) * 1000
        return DateTime(int(ms), zone)
    spoken = _spoken_zone(values)
    moment = from_fields(_fields(values), spoken or zone)
    if "weekyear" in values or "week" in values:
        moment = _by_week(values, spoken or zone)
    return moment if keep_zone or spoken is None else moment.in_zone(zone)


def _spoken_zone(values: dict[str, str]) -> Zone | None:
    if "zone" in values:
        return find_zone(values["zone"])
    if "offset" not in values:
        return None
    sign, digits = values["offset"][0], values["offset"][1:]
    hours, minutes = digits.split(":") if ":" in digits else (digits[:-2], digits[-2:])
    if ":" not in digits and len(digits) < 3:
        hours, minutes = digits, "0"
    total = int(hours) * 60 + int(minutes)
    return fixed_zone(-total if sign == "-" else total)


def _fields(values: dict[str, str]) -> dict[str, int]:
    plain = ("year", "month", "day", "hour", "minute", "second", "millisecond")
    fields: dict[str, int] = {name: int(values[name]) for name in plain if name in values}
    if "year2" in values:
        year = int(values["year2"])
        fields["year"] = year if year > 99 else year + (1900 if year > 60 else 2000)
    fields.update(_spelled(values))
    if "fraction" in values:
        fields["millisecond"] = _fraction_ms(values["fraction"])
    if "tenths" in values:
        fields["millisecond"] = int(values["tenths"]) * (100 if len(values["tenths"]) == 1 else 10)
    if "quarter" in values and "month" not in fields:
        fields["month"] = (int(values["quarter"]) - 1) * 3 + 1
    if "ordinal" in values and "year" in fields:
        first = _datetime.date(fields["year"], 1, 1)
        day = first + _datetime.timedelta(days=int(values["ordinal"]) - 1)
        fields.update(month=day.month, day=day.day)
    return fields


def _spelled(values: dict[str, str]) -> dict[str, int]:
    fields: dict[str, int] = {}
    for name, size in (("month3", 3), ("monthname", None)):
        if name in values:
            names = [month[:size].lower() for month in MONTHS]
            fields["month"] = names.index(values[name].lower()) + 1
    if "hour12" in values:
        hour = int(values["hour12"])
        meridiem = values.get("meridiem", "").upper()
        if meridiem:
            hour = hour % 12 + (12 if meridiem == "PM" else 0)
        fields["hour"] = hour
    return fields


def _by_week(values: dict[str, Any], zone: Zone) -> DateTime:
    try:
        day = _datetime.date.fromisocalendar(
            int(values.get("weekyear", 1970)),
            int(values.get("week", 1)),
            int(values.get("weekday", 1)),
        )
    except ValueError:
        return unparsable(zone)
    return from_fields({"year": day.year, "month": day.month, "day": day.day}, zone)
