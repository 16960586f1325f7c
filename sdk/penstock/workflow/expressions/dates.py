"""DateTime: an instant in a time zone, as luxon has it, on `datetime` and `zoneinfo`.

Pure and of use on its own: nothing here reads the clock, the caller gives it. Years 1 to 9999.
Formatting is in `date_format`, parsing in `date_parse`, what expressions call in `date_methods`.
"""

import calendar
import math
from datetime import datetime, timedelta
from typing import Any, Final

from penstock.workflow.expressions.convert import NUMBERS, STRINGS
from penstock.workflow.expressions.durations import MS, Duration
from penstock.workflow.expressions.json_text import JSON_FORMS
from penstock.workflow.expressions.numbers import tidy
from penstock.workflow.expressions.zones import UTC_ZONE, Zone, find_zone
from penstock.workflow.scope import Scope

_FIELDS: Final = ("year", "month", "day", "hour", "minute", "second", "millisecond")
_START: Final = {"month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0, "millisecond": 0}


class DateTime:
    """An instant (`ms` since the epoch) seen in a zone. Invalid ones have a `reason`."""

    __slots__ = ("_local", "locale", "ms", "reason", "zone")

    def __init__(
        self, ms: float, zone: Zone = UTC_ZONE, locale: str = "en-US", reason: str = ""
    ) -> None:
        self.ms = ms
        self.zone = zone
        self.locale = locale
        self.reason = reason
        self._local: datetime | None = None
        if not reason:
            try:
                self._local = zone.local(ms)
            except (OverflowError, ValueError):
                self.reason = "invalid input"

    @property
    def is_valid(self) -> bool:
        return not self.reason

    @property
    def local(self) -> datetime:
        """The local fields; raises `ValueError` for an invalid one, which has none."""
        if self._local is None:
            raise ValueError("Invalid DateTime")
        return self._local

    @property
    def offset(self) -> int:
        """Minutes east of UTC."""
        return self.zone.offset(self.ms)

    @property
    def millisecond(self) -> int:
        return self.local.microsecond // 1000

    @property
    def quarter(self) -> int:
        return (self.local.month + 2) // 3

    def fields(self) -> dict[str, int]:
        """Year to millisecond."""
        local = self.local
        values = (local.year, local.month, local.day, local.hour, local.minute, local.second)
        return dict(zip(_FIELDS, (*values, self.millisecond), strict=True))

    def at(self, ms: float) -> "DateTime":
        """Another instant in the same zone."""
        return DateTime(ms, self.zone, self.locale)

    def in_zone(self, zone: Zone, *, keep_local: bool = False) -> "DateTime":
        """The same instant in another zone, or the same local time there."""
        if keep_local and self.is_valid:
            return from_fields(self.fields(), zone, self.locale)
        return DateTime(self.ms, zone, self.locale, self.reason)

    def plus(self, duration: Duration, sign: int = 1) -> "DateTime":
        """This moved by a duration: calendar units by the calendar, hours and less exactly."""
        if not self.is_valid or not duration.is_valid:
            return DateTime(math.nan, self.zone, self.locale, self.reason or duration.reason)
        values = {unit: sign * number for unit, number in duration.values.items()}
        if any(number != number or abs(number) > 1e15 for number in values.values()):
            return DateTime(math.nan, self.zone, self.locale, "invalid input")
        moved = self._by_calendar(values)
        exact = sum(
            values.get(u, 0) * MS[u] for u in ("hours", "minutes", "seconds", "milliseconds")
        )
        for unit in ("years", "quarters", "months", "weeks", "days"):
            number = values.get(unit, 0)
            exact += (number - math.trunc(number)) * MS[unit]
        return self.at(tidy(math.floor(moved + exact + 0.5) if exact % 1 else moved + exact))

    def _by_calendar(self, values: dict[str, float]) -> float:
        whole = {unit: math.trunc(number) for unit, number in values.items()}
        local = self.local.replace(tzinfo=None)
        months = whole.get("years", 0) * 12 + whole.get("quarters", 0) * 3 + whole.get("months", 0)
        days = whole.get("days", 0) + whole.get("weeks", 0) * 7
        if not months and not days:
            return self.ms
        try:
            total = local.year * 12 + local.month - 1 + months
            year, month = divmod(total, 12)
            day = min(local.day, calendar.monthrange(year, month + 1)[1])
            moved = local.replace(year=year, month=month + 1, day=day) + timedelta(days=days)
            return self.zone.instant(moved)
        except (OverflowError, ValueError, calendar.IllegalMonthError):
            return math.nan

    def start_of(self, unit: str) -> "DateTime":
        """The first instant of the year, quarter, month, week, day, ... that this is in."""
        if not self.is_valid:
            return self
        fields = self.fields()
        if unit == "quarters":
            fields["month"] = (self.quarter - 1) * 3 + 1
        names = _FIELDS[_FIELDS.index(_FINER[unit]) :] if unit in _FINER else ()
        fields.update({name: _START[name] for name in names})
        if unit != "weeks":
            return from_fields(fields, self.zone, self.locale)
        monday = self.local.replace(tzinfo=None) - timedelta(days=self.local.weekday())
        fields.update(year=monday.year, month=monday.month, day=monday.day)
        return from_fields(fields, self.zone, self.locale)

    def end_of(self, unit: str) -> "DateTime":
        """The last millisecond of the year, quarter, ... that this is in."""
        if not self.is_valid:
            return self
        after = self.start_of(unit).plus(Duration({unit: 1}))
        return after.at(after.ms - 1)

    def diff(self, other: "DateTime", units: list[str]) -> Duration:
        """The time from `other` to this, in units."""
        if not self.is_valid or not other.is_valid:
            return Duration({}, "created by diffing an invalid DateTime")
        if other.ms > self.ms:
            return _difference(self, other, units).negate()
        return _difference(other, self, units)


_FINER: Final = {
    "years": "month",
    "quarters": "day",
    "months": "day",
    "weeks": "hour",
    "days": "hour",
    "hours": "minute",
    "minutes": "second",
    "seconds": "millisecond",
}


def from_fields(fields: dict[str, int], zone: Zone, locale: str = "en-US") -> DateTime:
    """A DateTime from local fields; invalid when one is out of range."""
    full = {**_START, **fields}
    try:
        local = datetime(
            full["year"], full["month"], full["day"], full["hour"], full["minute"],
            full["second"], full["millisecond"] * 1000,
        )  # fmt: skip
        return DateTime(zone.instant(local), zone, locale)
    except (ValueError, OverflowError, TypeError):
        return DateTime(math.nan, zone, locale, "unit out of range")


def _day_number(moment: DateTime) -> int:
    return moment.local.replace(tzinfo=None).toordinal()


def _calendar_difference(unit: str, a: DateTime, b: DateTime) -> int:
    years = b.local.year - a.local.year
    if unit == "years":
        return years
    if unit == "quarters":
        return b.quarter - a.quarter + years * 4
    if unit == "months":
        return b.local.month - a.local.month + years * 12
    days = _day_number(b) - _day_number(a)
    return days // 7 if unit == "weeks" else days


def _difference(earlier: DateTime, later: DateTime, units: list[str]) -> Duration:
    """Calendar units greedily, largest first; what is left in the smaller or smallest unit."""
    cursor, high = earlier, earlier
    results: dict[str, float] = {}
    lowest = ""
    for unit in ("years", "quarters", "months", "weeks", "days"):
        if unit not in units:
            continue
        lowest = unit
        results[unit] = _calendar_difference(unit, cursor, later)
        high = earlier.plus(Duration(dict(results)))
        if high.ms > later.ms:
            results[unit] -= 1
            cursor = earlier.plus(Duration(dict(results)))
            if cursor.ms > later.ms:
                high = cursor
                results[unit] -= 1
                cursor = earlier.plus(Duration(dict(results)))
        else:
            cursor = high
    rest = later.ms - cursor.ms
    small = [u for u in units if u in ("hours", "minutes", "seconds", "milliseconds")]
    if small:
        return Duration({"milliseconds": rest}).shift_to(small).plus(Duration(results))
    if high.ms < later.ms:
        high = cursor.plus(Duration({lowest: 1}))
    if high.ms != cursor.ms:
        results[lowest] = tidy(results.get(lowest, 0) + rest / (high.ms - cursor.ms))
    return Duration(results)


def zone_of(scope: Scope) -> Zone:
    """The workflow's zone."""
    return find_zone(scope.plan.timezone) or UTC_ZONE


def now(scope: Scope) -> DateTime:
    """`$now`."""
    return DateTime(scope.now_ms, zone_of(scope))


def start_of_today(scope: Scope) -> DateTime:
    """`$today`."""
    return now(scope).start_of("days")


class Interval:
    """The time between two instants (end excluded)."""

    __slots__ = ("end", "start")

    def __init__(self, start: DateTime, end: DateTime) -> None:
        self.start = start
        self.end = end


def _as_iso(value: DateTime) -> Any:
    from penstock.workflow.expressions.date_format import to_iso

    return to_iso(value) if value.is_valid else None


STRINGS[DateTime] = lambda value: _as_iso(value) or "Invalid DateTime"
STRINGS[Duration] = lambda value: value.to_iso() if value.is_valid else "Invalid Duration"
STRINGS[Interval] = lambda value: f"[{_as_iso(value.start)} – {_as_iso(value.end)})"
NUMBERS[DateTime] = lambda value: value.ms if value.is_valid else math.nan
NUMBERS[Duration] = lambda value: value.to_ms()
JSON_FORMS[DateTime] = _as_iso
JSON_FORMS[Duration] = lambda value: value.to_iso() if value.is_valid else None
JSON_FORMS[Interval] = lambda value: {"start": value.start, "end": value.end}
