"""JavaScript's Date. The process zone is UTC, so local and UTC methods agree."""

import calendar
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import (
    NUMBERS,
    PREFERS_STRING,
    STRINGS,
    to_number,
    to_primitive,
    to_string,
)
from penstock.workflow.expressions.date_format import MONTHS, WEEKDAYS
from penstock.workflow.expressions.date_parse import TEXT_MAX
from penstock.workflow.expressions.dates import DateTime
from penstock.workflow.expressions.errors import throw_range
from penstock.workflow.expressions.globals import CLASSES, ClassSpec
from penstock.workflow.expressions.json_text import JSON_FORMS
from penstock.workflow.expressions.locales import format_date
from penstock.workflow.expressions.members import METHODS, PROPERTIES, argument
from penstock.workflow.expressions.numbers import tidy
from penstock.workflow.expressions.values import UNDEFINED, JsDate, Native

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(
    r"(?P<year>\d{4}|[+-]\d{6})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d))?)?"
    r"(?:[T ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?"
    r"\s?(?P<offset>Z|[+-]\d\d:?\d\d)?)?\Z",
    re.I,
)
_WORDS = re.compile(
    r"[A-Za-z]+|\d+:\d+(?::\d+(?:\.\d+)?)?|\([^)]*\)|[+-]\d{4}|[+-]\d\d:\d\d|\d+|[/,.\-]"
)
_DAY_MS = 86_400_000


def make_ms(fields: list[float]) -> float:
    """Milliseconds of [year, month index, day, hour, minute, second, millisecond]; may overflow."""
    if any(not math.isfinite(value) for value in fields):
        return math.nan
    year, month, day, hour, minute, second, ms = (math.trunc(value) for value in fields)
    year, month = year + month // 12, month % 12
    if not -270_000 < year < 280_000:
        return math.nan
    days = _days_before(year, month) + day - 1
    return days * _DAY_MS + hour * 3_600_000 + minute * 60_000 + second * 1000 + ms


def _days_before(year: int, month: int) -> int:
    """Days from the epoch to the first of a month, for any year."""
    cycles, within = divmod(year - 2000, 400)
    first = datetime(2000 + within, month + 1, 1, tzinfo=UTC)
    return (first - _EPOCH).days + cycles * 146_097


def parse_date(text: str) -> float:
    """`Date.parse`: ISO first, then the looser forms that V8 reads."""
    text = text.strip()
    if len(text) > TEXT_MAX:
        return math.nan
    found = _ISO.match(text)
    if found:
        return _from_iso(found)
    try:
        return _parse_words(text)
    except (ValueError, IndexError):
        return math.nan


def _from_iso(found: "re.Match[str]") -> float:
    values = [found[name] for name in ("year", "month", "day", "hour", "minute", "second")]
    year, month, day, hour, minute, second = (int(v) if v else 0 for v in values)
    month, day = month if values[1] else 1, day if values[2] else 1
    if not 1 <= month <= 12 or not 1 <= day <= calendar.monthrange(2000, month)[1]:
        return math.nan
    if hour > 24 or minute > 59 or second > 59 or (hour == 24 and (minute or second)):
        return math.nan
    if day > calendar.monthrange(2000 + (year - 2000) % 400, month)[1] and not values[3]:
        pass  # V8 lets 30 February overflow into March
    ms = int((found["fraction"] or "0")[:3].ljust(3, "0"))
    total = make_ms([year, month - 1, day, hour, minute, second, ms])
    return total - _offset(found["offset"]) * 60_000 if found["offset"] else total


def _offset(text: str) -> int:
    if text.upper() == "Z":
        return 0
    digits = text[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:] or 0)
    return -minutes if text[0] == "-" else minutes


_ZONES = {"gmt": 0, "utc": 0, "ut": 0, "z": 0, "est": -300, "edt": -240, "cst": -360, "cdt": -300,
          "mst": -420, "mdt": -360, "pst": -480, "pdt": -420}  # fmt: skip


class _Words:
    """What was gathered from a loosely written date."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.month = 0
        self.time: list[float] = []
        self.offset = 0
        self.afternoon: bool | None = None


def _parse_words(text: str) -> float:
    words = _Words()
    previous = ""
    position = 0
    for found in _WORDS.finditer(text):
        if text[position : found.start()].strip():
            return math.nan
        position = found.end()
        if not _take_word(words, found.group(), previous):
            return math.nan
        previous = found.group()
    return math.nan if text[position:].strip() else _assemble(words)


def _take_word(words: _Words, word: str, previous: str) -> bool:
    lowered = word.lower()
    months = [name[:3].lower() for name in MONTHS]
    if ":" in word and word[0] not in "+-":
        words.time = [float(part) for part in word.split(":")]
    elif word[0] in "+-" and len(word) > 1:
        if words.time:
            words.offset = _offset(word)
        else:
            words.numbers.append(int(word[1:]))
    elif word.isdigit():
        words.numbers.append(int(word))
    elif lowered in _ZONES:
        words.offset = _ZONES[lowered]
    elif lowered in ("am", "pm"):
        words.afternoon = lowered == "pm"
    elif word.isalpha():
        if lowered[:3] in months:
            words.month = months.index(lowered[:3]) + 1
        elif lowered[:3] not in {name[:3].lower() for name in WEEKDAYS} and lowered != "t":
            # V8 ignores words that it does not know, until a number has been read.
            return not words.numbers and not words.time
    return True


def _assemble(words: _Words) -> float:
    numbers = words.numbers
    if words.month:
        if not numbers:
            return math.nan
        day, year = (numbers[0], numbers[1]) if len(numbers) > 1 else (numbers[0], 2001)
        if day > 31:
            day, year = (year if len(numbers) > 1 else 1), day
        month = words.month
    elif len(numbers) >= 3:
        year, month, day = numbers[:3]
        if year < 32 or len(str(numbers[2])) == 4:
            month, day, year = numbers[:3]
    elif len(numbers) == 2:
        month, day, year = numbers[0], numbers[1], 2001
    elif len(numbers) == 1:
        month, day, year = (numbers[0], 1, 2001) if numbers[0] <= 12 else (1, 1, numbers[0])
    else:
        return math.nan
    if year < 100:
        year += 2000 if year < 50 else 1900
    if not 1 <= month <= 12 or not 1 <= day <= 31:
        return math.nan
    return _with_time(words, year, month, day)


def _with_time(words: _Words, year: int, month: int, day: int) -> float:
    hour, minute, second = ([*words.time, 0, 0, 0])[:3]
    if words.afternoon is not None:
        if not 1 <= hour <= 12:
            return math.nan
        hour = hour % 12 + (12 if words.afternoon else 0)
    if hour > 24 or minute > 59 or second >= 60:
        return math.nan
    whole = math.floor(second)
    ms = round((second - whole) * 1000)
    return make_ms([year, month - 1, day, hour, minute, whole, ms]) - words.offset * 60_000


def moment(value: JsDate) -> datetime:
    """The UTC fields of a valid date."""
    return _EPOCH + timedelta(milliseconds=value.ms)


def to_iso_string(value: JsDate) -> str:
    """`toISOString`."""
    at = moment(value)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z".rjust(24, "0")


def date_text(value: JsDate) -> str:
    """`toDateString`."""
    at = moment(value)
    return f"{WEEKDAYS[at.weekday()][:3]} {MONTHS[at.month - 1][:3]} {at.day:02d} {at.year:04d}"


def full_text(value: JsDate) -> str:
    """`toString`, in the process zone UTC."""
    if value.ms != value.ms:
        return "Invalid Date"
    return f"{date_text(value)} {moment(value):%H:%M:%S} GMT+0000 (Coordinated Universal Time)"


def _utc_text(value: JsDate) -> str:
    at = moment(value)
    return (
        f"{WEEKDAYS[at.weekday()][:3]}, {at.day:02d} {MONTHS[at.month - 1][:3]} {at.year:04d}"
        f" {at:%H:%M:%S} GMT"
    )


def make_date(context: Context, this: Any, arguments: list[Any]) -> JsDate:
    """`new Date(...)`."""
    if not arguments:
        return JsDate(context.scope.now_ms)
    if len(arguments) > 1:
        return JsDate(_from_numbers(arguments))
    value = arguments[0]
    if isinstance(value, JsDate):
        return JsDate(value.ms)
    value = to_primitive(value)
    number = parse_date(value) if type(value) is str else to_number(value)
    if number != number or abs(number) > 8.64e15:
        return JsDate(math.nan)
    return JsDate(math.trunc(number))


def _from_numbers(arguments: list[Any]) -> float:
    fields: list[float] = [1970, 0, 1, 0, 0, 0, 0]
    for index, value in enumerate(arguments[:7]):
        fields[index] = to_number(value)
    if 0 <= fields[0] <= 99:
        fields[0] += 1900
    return make_ms(fields)


def _utc(context: Context, this: Any, arguments: list[Any]) -> float:
    return _from_numbers(arguments)


def _parse(context: Context, this: Any, arguments: list[Any]) -> float:
    return tidy(make_date(context, this, [to_string(argument(arguments, 0))]).ms)


def _fields(value: JsDate) -> list[float]:
    at = moment(value)
    return [at.year, at.month - 1, at.day, at.hour, at.minute, at.second, at.microsecond // 1000]


def _getter(read: Callable[[datetime], float]) -> Native:
    def apply(context: Context, this: JsDate, arguments: list[Any]) -> float:
        return read(moment(this)) if this.ms == this.ms else math.nan

    return apply


def _setter(first: int, count: int) -> Native:
    def apply(context: Context, this: JsDate, arguments: list[Any]) -> float:
        if this.ms != this.ms and first:
            return math.nan
        fields: list[float] = _fields(this) if this.ms == this.ms else [1970, 0, 1, 0, 0, 0, 0]
        for offset, value in enumerate(arguments[:count]):
            fields[first + offset] = to_number(value)
        this.ms = make_ms(fields) if arguments else math.nan
        return this.ms

    return apply


def _set_time(context: Context, this: JsDate, arguments: list[Any]) -> float:
    this.ms = to_number(argument(arguments, 0))
    return this.ms


def _to_iso(context: Context, this: JsDate, arguments: list[Any]) -> str:
    if this.ms != this.ms:
        throw_range("Invalid time value")
    return to_iso_string(this)


def _valid(make: Callable[[JsDate], str]) -> Native:
    def apply(context: Context, this: JsDate, arguments: list[Any]) -> str:
        return make(this) if this.ms == this.ms else "Invalid Date"

    return apply


def _locale(default: str) -> Native:
    def apply(context: Context, this: JsDate, arguments: list[Any]) -> str:
        if this.ms != this.ms:
            return "Invalid Date"
        at = DateTime(this.ms)
        return format_date(at, argument(arguments, 0), argument(arguments, 1), default=default)

    return apply


_GETTERS: dict[str, Callable[[datetime], float]] = {
    "FullYear": lambda at: at.year,
    "Month": lambda at: at.month - 1,
    "Date": lambda at: at.day,
    "Day": lambda at: at.isoweekday() % 7,
    "Hours": lambda at: at.hour,
    "Minutes": lambda at: at.minute,
    "Seconds": lambda at: at.second,
    "Milliseconds": lambda at: at.microsecond // 1000,
}
_SETTERS = {
    "FullYear": (0, 3), "Month": (1, 2), "Date": (2, 1), "Hours": (3, 4), "Minutes": (4, 3),
    "Seconds": (5, 2), "Milliseconds": (6, 1),
}  # fmt: skip

_METHODS: dict[str, Native] = {
    "getTime": lambda context, this, arguments: this.ms,
    "valueOf": lambda context, this, arguments: this.ms,
    "setTime": _set_time,
    "getTimezoneOffset": lambda context, this, arguments: 0,
    "getYear": _getter(lambda at: at.year - 1900),
    "toISOString": _to_iso,
    "toJSON": lambda context, this, arguments: to_iso_string(this) if this.ms == this.ms else None,
    "toString": _valid(full_text),
    "toDateString": _valid(date_text),
    "toTimeString": _valid(lambda v: f"{moment(v):%H:%M:%S} GMT+0000 (Coordinated Universal Time)"),
    "toUTCString": _valid(_utc_text),
    "toGMTString": _valid(_utc_text),
    "toLocaleString": _locale("all"),
    "toLocaleDateString": _locale("date"),
    "toLocaleTimeString": _locale("time"),
}
for _name, _read in _GETTERS.items():
    _METHODS[f"get{_name}"] = _METHODS[f"getUTC{_name}"] = _getter(_read)
for _name, (_first, _count) in _SETTERS.items():
    _METHODS[f"set{_name}"] = _METHODS[f"setUTC{_name}"] = _setter(_first, _count)

METHODS[JsDate] = _METHODS
PROPERTIES[JsDate] = lambda context, value, name: UNDEFINED
STRINGS[JsDate] = full_text
NUMBERS[JsDate] = lambda value: tidy(value.ms)
PREFERS_STRING.add(JsDate)
JSON_FORMS[JsDate] = lambda value: to_iso_string(value) if value.ms == value.ms else None
CLASSES["Date"] = ClassSpec(
    construct=make_date,
    statics={
        "now": lambda context, this, arguments: context.scope.now_ms,
        "parse": _parse,
        "UTC": _utc,
    },
    is_instance=lambda value: isinstance(value, JsDate),
)
