"""Durations and intervals of time, as luxon has them.

A duration is a number per unit and keeps what it was made of: a month stays a month. Conversion
between units uses luxon's casual lengths (a month is 30 days, a year 365).
"""

import math
import re
from itertools import pairwise
from typing import Any

from penstock.workflow.expressions.convert import to_number, to_string
from penstock.workflow.expressions.numbers import number_to_string, tidy
from penstock.workflow.expressions.values import UNDEFINED

UNITS = (
    "years", "quarters", "months", "weeks", "days", "hours", "minutes", "seconds", "milliseconds",
)  # fmt: skip
MS: dict[str, float] = {
    "years": 365 * 86_400_000,
    "quarters": 91 * 86_400_000,
    "months": 30 * 86_400_000,
    "weeks": 7 * 86_400_000,
    "days": 86_400_000,
    "hours": 3_600_000,
    "minutes": 60_000,
    "seconds": 1000,
    "milliseconds": 1,
}
_EXACT = {("years", "quarters"): 4, ("years", "months"): 12, ("years", "weeks"): 52,
          ("quarters", "months"): 3, ("quarters", "weeks"): 13, ("months", "weeks"): 4}  # fmt: skip
_SINGULAR = {
    "year": "years", "quarter": "quarters", "month": "months", "week": "weeks", "day": "days",
    "hour": "hours", "minute": "minutes", "second": "seconds", "millisecond": "milliseconds",
    "min": "minutes", "mins": "minutes", "sec": "seconds", "secs": "seconds",
}  # fmt: skip


class InvalidUnitError(ValueError):
    """A word that is no unit of time."""


def unit_of(word: str) -> str:
    """The plural of a unit's name; raises `InvalidUnitError`."""
    lowered = str(word).lower()
    if lowered in MS:
        return lowered
    if lowered in _SINGULAR and lowered not in ("min", "mins", "sec", "secs"):
        return _SINGULAR[lowered]
    raise InvalidUnitError(f"Invalid unit {word}")


def ratio(larger: str, smaller: str) -> float:
    """How many of `smaller` make one of `larger`."""
    return _EXACT.get((larger, smaller)) or tidy(MS[larger] / MS[smaller])


class Duration:
    """A duration: a number per unit. Invalid ones have a `reason`."""

    __slots__ = ("reason", "values")

    def __init__(self, values: dict[str, float], reason: str = "") -> None:
        self.values = values
        self.reason = reason

    @property
    def is_valid(self) -> bool:
        return not self.reason

    def get(self, unit: str) -> float:
        """The number of one unit; NaN when invalid."""
        return self.values.get(unit, 0) if self.is_valid else math.nan

    def to_ms(self) -> float:
        """The length in milliseconds."""
        total = sum(number * MS[unit] for unit, number in self.values.items())
        return tidy(total) if self.is_valid else math.nan

    def shift_to(self, units: list[str]) -> "Duration":
        """The same length in other units, largest first, the rest in the smallest."""
        if not units or not self.is_valid:
            return self
        built: dict[str, float] = {}
        rest: dict[str, float] = {}
        last = ""
        for unit in UNITS:
            if unit in units:
                last = unit
                own = sum(ratio(larger, unit) * rest[larger] for larger in rest)
                own += self.values.get(unit, 0)
                whole = math.trunc(own)
                built[unit] = whole
                rest = {unit: (own * 1000 - whole * 1000) / 1000}
            elif self.values.get(unit):
                rest[unit] = self.values[unit]
        for unit, number in rest.items():
            if number:
                built[last] += number if unit == last else number / ratio(last, unit)
        return Duration(_rolled_up({unit: tidy(number) for unit, number in built.items()}))

    def as_unit(self, unit: str) -> float:
        """The length in one unit."""
        return self.shift_to([unit]).get(unit)

    def plus(self, other: "Duration", sign: int = 1) -> "Duration":
        """The sum, unit by unit."""
        units = [unit for unit in UNITS if unit in self.values or unit in other.values]
        return Duration(
            {u: tidy(self.values.get(u, 0) + sign * other.values.get(u, 0)) for u in units},
            self.reason or other.reason,
        )

    def negate(self) -> "Duration":
        return Duration(
            {unit: -number if number else 0 for unit, number in self.values.items()}, self.reason
        )

    def normalize(self) -> "Duration":
        """The same length with each unit within its usual range."""
        return self.shift_to([unit for unit in UNITS if unit in self.values])

    def rescale(self) -> "Duration":
        """Normalised over all units but quarters, zeros left out."""
        wide = self.shift_to([unit for unit in UNITS if unit != "quarters"])
        return Duration({unit: number for unit, number in wide.values.items() if number})

    def to_iso(self) -> str:
        """ISO 8601 (`P1DT2H`)."""
        date, time = "", ""
        for unit, letter in (("years", "Y"), ("months", "M"), ("weeks", "W"), ("days", "D")):
            number = self.values.get(unit, 0)
            if unit == "months":
                number += self.values.get("quarters", 0) * 3
            date += f"{number_to_string(number)}{letter}" if number else ""
        for unit, letter in (("hours", "H"), ("minutes", "M")):
            number = self.values.get(unit, 0)
            time += f"{number_to_string(number)}{letter}" if number else ""
        seconds = self.values.get("seconds", 0) + self.values.get("milliseconds", 0) / 1000
        if seconds:
            time += f"{number_to_string(tidy(round(seconds, 3)))}S"
        text = f"P{date}" + (f"T{time}" if time else "")
        return "PT0S" if text == "P" else text

    def to_human(self) -> str:
        """English words (`2 hours, 5 minutes`)."""
        parts = []
        for unit in UNITS:
            if unit in self.values:
                number = self.values[unit]
                parts.append(f"{number_to_string(number)} {unit[:-1] if number == 1 else unit}")
        return ", ".join(parts)

    def to_format(self, pattern: str) -> str:
        """A pattern with the tokens y M w d h m s S, repeated to pad."""
        letters = {"y": "years", "M": "months", "w": "weeks", "d": "days", "h": "hours",
                   "m": "minutes", "s": "seconds", "S": "milliseconds"}  # fmt: skip
        tokens = re.findall(r"'[^']*'|y+|M+|w+|d+|h+|m+|s+|S+|.", pattern, re.S)
        used = [letters[token[0]] for token in tokens if token[0] in letters]
        shifted = self.shift_to(used)
        parts = []
        for token in tokens:
            if token[0] in letters:
                number = math.floor(abs(shifted.get(letters[token[0]])))
                sign = "-" if shifted.get(letters[token[0]]) < 0 else ""
                parts.append(sign + str(number).zfill(len(token)))
            else:
                parts.append(token.strip("'") if token[0] == "'" else token)
        return "".join(parts)


def _rolled_up(values: dict[str, float]) -> dict[str, float]:
    """Units within their usual range and of one sign, fractions passed down, as luxon does."""
    sign = -1 if sum(number * MS[unit] for unit, number in values.items()) < 0 else 1
    units = [unit for unit in reversed(UNITS) if unit in values]
    for smaller, larger in pairwise(units):
        size = ratio(larger, smaller)
        rolled = math.floor(values[smaller] * sign / size)
        values[larger] += rolled * sign
        values[smaller] -= rolled * size * sign
    for larger, smaller in pairwise(reversed(units)):
        fraction = math.fmod(values[larger], 1)
        values[larger] -= fraction
        values[smaller] += fraction * ratio(larger, smaller)
    return {unit: tidy(number) for unit, number in values.items()}


_ISO = re.compile(
    r"(-?)P(?:(-?[\d.,]+)Y)?(?:(-?[\d.,]+)M)?(?:(-?[\d.,]+)W)?(?:(-?[\d.,]+)D)?"
    r"(?:T(?:(-?[\d.,]+)H)?(?:(-?[\d.,]+)M)?(?:(-?[\d.,]+)S)?)?\Z"
)


def duration_from_iso(text: str) -> Duration:
    """A duration from ISO 8601; an invalid one for other text."""
    found = _ISO.match(text)
    if not found:
        return Duration({}, "unparsable")
    units = ("years", "months", "weeks", "days", "hours", "minutes", "seconds")
    sign = -1 if found.group(1) else 1
    values = {
        unit: tidy(sign * float(number.replace(",", ".")))
        for unit, number in zip(units, found.groups()[1:], strict=True)
        if number
    }
    if values.get("seconds") and values["seconds"] != int(values["seconds"]):
        whole = math.trunc(values["seconds"])
        values["milliseconds"] = tidy(round((values["seconds"] - whole) * 1000))
        values["seconds"] = whole
    return Duration(values)


def duration_from_object(values: dict[str, Any]) -> Duration:
    """A duration from numbers per unit; words may be singular or plural."""
    made: dict[str, float] = {}
    for word, number in values.items():
        if number is None or number is UNDEFINED:
            continue
        unit = unit_of(word)
        value = to_number(number)
        if value != value or type(number) is bool or number == "":
            raise ValueError(f"Invalid value {to_string(number)} for {word}")
        made[unit] = value
    return Duration(made)
