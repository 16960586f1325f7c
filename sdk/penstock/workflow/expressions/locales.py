"""`toLocaleString` of numbers and dates: English fully, a few languages for common forms.

Not a copy of CLDR: what is not in the tables here is formatted as in `en-US`.
"""

import math
import re
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Any

from penstock.workflow.expressions.convert import is_missing, to_string, truthy
from penstock.workflow.expressions.date_format import (
    MONTHS,
    MONTHS_BY_LANGUAGE,
    WEEKDAYS,
    WEEKDAYS_BY_LANGUAGE,
    zone_long,
    zone_short,
)
from penstock.workflow.expressions.dates import DateTime
from penstock.workflow.expressions.errors import throw_range
from penstock.workflow.expressions.numbers import number_to_string
from penstock.workflow.expressions.values import UNDEFINED
from penstock.workflow.expressions.zones import find_zone

_NARROW = "\u202f"
_SEPARATORS: dict[str, tuple[str, str]] = {
    "en": (",", "."), "de": (".", ","), "fr": (_NARROW, ","), "es": (".", ","), "it": (".", ","),
    "pt": (".", ","), "nl": (".", ","), "id": (".", ","), "tr": (".", ","), "ja": (",", "."),
    "zh": (",", "."), "ko": (",", "."), "pl": ("\xa0", ","), "ru": ("\xa0", ","),
    "da": (".", ","),
    "sv": ("\xa0", ","), "nb": ("\xa0", ","), "fi": ("\xa0", ","), "cs": ("\xa0", ","),
    "he": (",", "."), "vi": (".", ","), "uk": ("\xa0", ","), "de-CH": ("’", "."),
    "de-AT": ("\xa0", ","),
}  # fmt: skip
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "BRL": "R$", "KRW": "₩",
            "CNY": "CN¥", "AUD": "A$", "CAD": "CA$", "MXN": "MX$",
            "ILS": "₪", "VND": "₫"}  # fmt: skip
_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*\Z")
_NO_CENTS = frozenset({"JPY", "KRW", "VND", "CLP", "ISK"})


def language_of(locale: Any) -> str:
    """The locale asked for; throws for what is no language tag."""
    if is_missing(locale):
        return "en-US"
    text = to_string(locale[0]) if isinstance(locale, list) and locale else to_string(locale)
    if not _LOCALE.match(text):
        throw_range(f"Incorrect locale information provided: {text}")
    return text


def _digits(options: dict[str, Any], name: str, default: int) -> int:
    value = options.get(name, UNDEFINED)
    return default if value is UNDEFINED else int(value)


def format_number(number: float, locale: Any, options: Any) -> str:
    """`Number.prototype.toLocaleString(locale, options)`."""
    language = language_of(locale)
    given = options if type(options) is dict else {}
    if not math.isfinite(number):
        return "NaN" if number != number else ("∞" if number > 0 else "-∞")
    style, currency = given.get("style", "decimal"), to_string(given.get("currency", "")).upper()
    least, most = (0, 3)
    if style == "currency":
        least = most = 0 if currency in _NO_CENTS else 2
    elif style == "percent":
        number, most = number * 100, 0
    least = _digits(
        given, "minimumFractionDigits", min(least, _digits(given, "maximumFractionDigits", least))
    )
    most = max(_digits(given, "maximumFractionDigits", most), least)
    if given.get("notation") == "compact":
        return _compact(number, language)
    text = _grouped(
        abs(number), (least, most), language, grouping=given.get("useGrouping") is not False
    )
    return _dressed(text, number, language, (style, currency))


def _dressed(text: str, number: float, language: str, style: tuple[str, str]) -> str:
    sign = "-" if number < 0 and any(char in "123456789" for char in text) else ""
    kind, currency = style
    after = language[:2] not in ("en", "ja", "zh", "ko", "pt")
    if kind == "percent":
        return f"{sign}{text}\xa0%" if after else f"{sign}{text}%"
    if kind != "currency":
        return sign + text
    symbol = _SYMBOLS.get(currency, currency + "\xa0")
    if language in ("en-AU", "en-CA") and currency == language[3:] + "D":
        symbol = "$"
    if after:
        return f"{sign}{text}\xa0{symbol.strip()}"
    gap = "\xa0" if language[:2] == "pt" else ""
    return f"{sign}{symbol}{gap}{text}"


def _grouped(number: float, digits: tuple[int, int], language: str, *, grouping: bool) -> str:
    least, most = digits
    exact = Decimal(number_to_string(number)).quantize(Decimal(1).scaleb(-most), ROUND_HALF_UP)
    whole, _, fraction = f"{exact:f}".partition(".")
    fraction = fraction.rstrip("0").ljust(least, "0")
    mark, point = _SEPARATORS.get(language) or _SEPARATORS.get(language[:2], (",", "."))
    least_grouped = 5 if language[:2] in ("es", "pl") or language == "pt-PT" else 4
    if grouping and len(whole) >= least_grouped:
        whole = _group(whole, mark, indian=language in ("en-IN", "hi-IN"))
    return f"{whole}{point}{fraction}" if fraction else whole


def _group(whole: str, mark: str, *, indian: bool) -> str:
    head, tail = whole[:-3], whole[-3:]
    size = 2 if indian else 3
    parts = [tail]
    while head:
        parts.insert(0, head[-size:])
        head = head[:-size]
    return mark.join(parts)


def _compact(number: float, language: str) -> str:
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if abs(number) >= size:
            scaled = Decimal(number / size)
            digits = 1 if abs(scaled) < 100 and abs(scaled) < 10 else 0
            text = f"{scaled.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN):f}"
            return (text.rstrip("0").rstrip(".") if "." in text else text) + letter
    return _grouped(number, (0, 0 if abs(number) >= 100 else 1), language, grouping=True)


# -- dates ---------------------------------------------------------------------------------------

_NUMERIC_ORDER: dict[str, tuple[str, str, bool]] = {
    # language: order of year, month, day; separator; whether day and month are padded
    "en-US": ("mdy", "/", False), "en-GB": ("dmy", "/", True), "en-AU": ("dmy", "/", True),
    "en-NZ": ("dmy", "/", True), "en-IN": ("dmy", "/", False), "en-CA": ("ymd", "-", True),
    "en-IE": ("dmy", "/", False), "en-ZA": ("ymd", "/", True), "en-SG": ("dmy", "/", True),
    "de": ("dmy", ".", False), "fr": ("dmy", "/", True), "es": ("dmy", "/", False),
    "pt": ("dmy", "/", True), "it": ("dmy", "/", False), "nl": ("dmy", "-", False),
    "ja": ("ymd", "/", False), "sv": ("ymd", "-", True), "ko": ("ymd", ". ", False),
    "zh": ("ymd", "/", False), "id": ("dmy", "/", False), "tr": ("dmy", ".", True),
    "da": ("dmy", ".", False), "pl": ("dmy", ".", False), "ru": ("dmy", ".", True),
    "fr-CA": ("ymd", "-", True),
    "he": ("dmy", ".", False), "fi": ("dmy", ".", False), "cs": ("dmy", ". ", False),
}  # fmt: skip
_DATE_FIELDS = ("weekday", "year", "month", "day")
_TIME_FIELDS = ("hour", "minute", "second", "dayPeriod", "fractionalSecondDigits")
_STYLES: dict[str, dict[str, str]] = {
    "short": {"year": "2-digit", "month": "numeric", "day": "numeric"},
    "medium": {"year": "numeric", "month": "short", "day": "numeric"},
    "long": {"year": "numeric", "month": "long", "day": "numeric"},
    "full": {"weekday": "long", "year": "numeric", "month": "long", "day": "numeric"},
}


def _hour_cycle(language: str, options: dict[str, Any]) -> bool:
    """Whether hours run to twelve."""
    given = options.get("hour12", UNDEFINED)
    if given is not UNDEFINED:
        return truthy(given)
    cycle = options.get("hourCycle", UNDEFINED)
    if cycle is not UNDEFINED:
        return cycle in ("h11", "h12")
    return language[:2] in ("en", "ko", "hi", "ar") and language not in ("en-GB", "en-IE", "en-ZA")


def _expanded(options: dict[str, Any], default: str) -> dict[str, Any]:
    """The fields that options ask for, styles and defaults spelled out."""
    fields = {name: value for name, value in options.items() if value is not UNDEFINED}
    if "dateStyle" in fields or "timeStyle" in fields:
        fields.update(_STYLES.get(fields.get("dateStyle", ""), {}))
        if "timeStyle" in fields:
            fields.update(hour="numeric", minute="2-digit")
            if fields["timeStyle"] != "short":
                fields["second"] = "2-digit"
            if fields["timeStyle"] in ("long", "full"):
                fields["timeZoneName"] = "short" if fields["timeStyle"] == "long" else "long"
        return fields
    has_date = any(name in fields for name in _DATE_FIELDS)
    has_time = any(name in fields for name in _TIME_FIELDS)
    needs_date = not has_date and (
        (default == "all" and not has_time)
        or (default == "any" and not has_time)
        or default == "date"
    )
    needs_time = default in ("time", "all") and not (has_time or (default == "all" and has_date))
    if needs_date:
        fields.update(year="numeric", month="numeric", day="numeric")
    if needs_time:
        fields.update(hour="numeric", minute="2-digit", second="2-digit")
    return fields


def format_date(moment: DateTime, locale: Any, options: Any, *, default: str) -> str:
    """`toLocaleString` and its date and time forms; `default` tells which fields
    stand for none at all: date, time, all, or any (a date, unless a time is asked for)."""
    language = language_of(locale)
    given = options if type(options) is dict else {}
    zone = given.get("timeZone", UNDEFINED)
    if zone is not UNDEFINED:
        found = find_zone(to_string(zone))
        if found is None:
            throw_range(f"Invalid time zone specified: {to_string(zone)}")
        moment = moment.in_zone(found)
    fields = _expanded(given, default)
    date = _date_part(moment, language, fields)
    time = _time_part(moment, language, fields)
    if not date or not time:
        return date or time
    return f"{date}{_joint(language, fields)}{time}"


def _joint(language: str, fields: dict[str, Any]) -> str:
    if fields.get("dateStyle") in ("full", "long") or (
        "dateStyle" not in fields and fields.get("month") == "long"
    ):
        words = {"en": " at ", "de": " um ", "fr": " à ", "pt": " às "}
        return words.get(language[:2], ", ")
    return " " if language[:2] in ("ja", "fr", "sv", "ko", "zh", "tr") else ", "


def _date_part(moment: DateTime, language: str, fields: dict[str, Any]) -> str:
    if not any(name in fields for name in _DATE_FIELDS):
        return ""
    if fields.get("month") in ("long", "short", "narrow"):
        return _worded(moment, language, fields)
    if "month" not in fields and "weekday" in fields and "day" not in fields:
        return _weekday(moment, language, fields)
    numeric = _numeric(moment, language, fields)
    return f"{_weekday(moment, language, fields)}, {numeric}" if "weekday" in fields else numeric


def _numeric(moment: DateTime, language: str, fields: dict[str, Any]) -> str:
    order, mark, padded = (
        _NUMERIC_ORDER.get(language) or _NUMERIC_ORDER.get(language[:2]) or _NUMERIC_ORDER["en-US"]
    )
    local = moment.local
    if fields.get("dateStyle") == "short" and language[:2] in ("de", "fr", "es", "it", "pt"):
        padded = padded or language[:2] == "de"
    whole = all(name in fields for name in ("year", "month", "day"))
    if language == "en-GB" and fields.get("dateStyle") == "short":
        fields = {**fields, "year": "numeric"}
    parts = []
    for letter in order:
        name = {"y": "year", "m": "month", "d": "day"}[letter]
        if name not in fields:
            continue
        value = getattr(local, name)
        two = fields[name] == "2-digit"
        if name == "year":
            parts.append(f"{value % 100:02d}" if two else str(value))
        else:
            parts.append(f"{value:02d}" if two or (padded and whole) else str(value))
    return mark.join(parts)


def _weekday(moment: DateTime, language: str, fields: dict[str, Any]) -> str:
    names = WEEKDAYS_BY_LANGUAGE.get(language[:2], "").split() or WEEKDAYS
    name = names[moment.local.weekday()]
    if fields["weekday"] == "long":
        return name
    if fields["weekday"] == "narrow":
        return name[0].upper()
    if language[:2] == "fr":
        return name[:3] + "."
    return name[:2] if language[:2] in ("de", "nl") else name[:3]


def _month(moment: DateTime, language: str, fields: dict[str, Any]) -> str:
    names = MONTHS_BY_LANGUAGE.get(language[:2], "").split() or MONTHS
    name = names[moment.local.month - 1]
    if fields["month"] == "long":
        return name
    if fields["month"] == "narrow":
        return name[0].upper()
    if language in ("en-GB", "en-AU", "en-IN") and moment.local.month == 9:
        return "Sept"
    return name[:3]


def _worded(moment: DateTime, language: str, fields: dict[str, Any]) -> str:
    month, local = _month(moment, language, fields), moment.local
    day = ""
    if "day" in fields:
        day = f"{local.day:02d}" if fields["day"] == "2-digit" else str(local.day)
    year = ""
    if "year" in fields:
        year = f"{local.year % 100:02d}" if fields["year"] == "2-digit" else str(local.year)
    weekday = _weekday(moment, language, fields) if "weekday" in fields else ""
    return _worded_order(language, weekday, (day, month, year))


def _worded_order(language: str, weekday: str, parts: tuple[str, str, str]) -> str:
    day, month, year = parts
    if language in ("en-US", "en-CA") or (language[:2] == "en" and language not in _NUMERIC_ORDER):
        date = " ".join(part for part in (month, day) if part)
        if year:
            date = f"{date}, {year}" if day else f"{date} {year}"
        return f"{weekday}, {date}" if weekday else date
    if language[:2] in ("es", "pt"):
        date = " de ".join(part for part in parts if part)
    elif language[:2] == "de":
        date = " ".join(part for part in (f"{day}." if day else "", month, year) if part)
    else:
        date = " ".join(part for part in parts if part)
    if not weekday:
        return date
    return (
        f"{weekday} {date}"
        if language in ("fr-FR", "en-GB", "it-IT", "nl-NL", "fr")
        else f"{weekday}, {date}"
    )


def _time_part(moment: DateTime, language: str, fields: dict[str, Any]) -> str:
    if not any(name in fields for name in _TIME_FIELDS):
        return _zone_name(moment, fields, "")
    twelve = _hour_cycle(language, fields)
    local, parts = moment.local, []
    if "hour" in fields:
        hour = (local.hour % 12 or 12) if twelve else local.hour
        if not twelve and fields.get("hour12") is False and language == "en-US" and hour == 0:
            hour = 24
        pad = fields["hour"] == "2-digit" or (not twelve and language[:2] not in ("ja", "es"))
        parts.append(f"{hour:02d}" if pad else str(hour))
    if "minute" in fields:
        parts.append(f"{local.minute:02d}" if parts or "second" in fields else str(local.minute))
    if "second" in fields:
        parts.append(f"{local.second:02d}" if parts else str(local.second))
    text = (":" if language[:2] not in ("id", "fi", "da") else ".").join(parts)
    if "fractionalSecondDigits" in fields:
        text += f".{moment.millisecond:03d}"[: 1 + int(fields["fractionalSecondDigits"])]
    if twelve and "hour" in fields:
        upper = language in ("en-US", "en-CA") or language not in _NUMERIC_ORDER
        half = "AM" if local.hour < 12 else "PM"
        if language == "en-CA":
            half = "a.m." if local.hour < 12 else "p.m."
        text += " " + (half if upper else half.lower())
    return _zone_name(moment, fields, text)


def _zone_name(moment: DateTime, fields: dict[str, Any], text: str) -> str:
    style = fields.get("timeZoneName")
    if style is None:
        return text
    name = zone_long(moment) if style == "long" else zone_short(moment)
    return f"{text} {name}" if text else name
