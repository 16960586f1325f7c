"""DateTime to text: luxon's tokens, ISO, and the standard formats."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from penstock.workflow.expressions.dates import DateTime

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
WEEKDAYS: Final = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
)  # fmt: skip
_TOKENS = re.compile(r"'([^']*)'|(([A-Za-z])\3*)|(.)", re.S)


def offset_text(moment: DateTime, style: str) -> str:
    """The offset as `+5` (narrow), `+05:00` (short) or `+0500` (techie)."""
    minutes = moment.offset
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    if style == "narrow":
        return f"{sign}{hours}" + (f":{rest:02d}" if rest else "")
    return f"{sign}{hours:02d}{':' if style == 'short' else ''}{rest:02d}"


def to_iso_date(moment: DateTime, *, basic: bool = False) -> str:
    """`2024-05-17`."""
    local = moment.local
    joint = "" if basic else "-"
    return f"{local.year:04d}{joint}{local.month:02d}{joint}{local.day:02d}"


def to_iso_time(
    moment: DateTime,
    *,
    offset: bool = True,
    suppress_seconds: bool = False,
    suppress_milliseconds: bool = False,
    basic: bool = False,
) -> str:
    """`09:08:07.000-04:00`."""
    local = moment.local
    joint = "" if basic else ":"
    text = f"{local.hour:02d}{joint}{local.minute:02d}"
    is_zero = local.second == 0 and moment.millisecond == 0
    if not (suppress_seconds and is_zero):
        text += f"{joint}{local.second:02d}"
        if not (suppress_milliseconds and moment.millisecond == 0):
            text += f".{moment.millisecond:03d}"
    if not offset:
        return text
    if moment.zone.is_fixed and moment.offset == 0:
        return text + "Z"
    return text + offset_text(moment, "techie" if basic else "short")


def to_iso(moment: DateTime) -> str:
    """`2024-05-17T09:08:07.000-04:00`."""
    return f"{to_iso_date(moment)}T{to_iso_time(moment)}"


def to_rfc2822(moment: DateTime) -> str:
    """`Fri, 17 May 2024 09:08:07 -0400`."""
    return to_format(moment, "EEE, dd LLL yyyy HH:mm:ss ZZZ")


def to_http(moment: DateTime) -> str:
    """`Fri, 17 May 2024 13:08:07 GMT`."""
    from penstock.workflow.expressions.zones import UTC_ZONE

    return to_format(moment.in_zone(UTC_ZONE), "EEE, dd LLL yyyy HH:mm:ss 'GMT'")


def zone_short(moment: DateTime) -> str:
    """The zone's abbreviation as English has it (`EDT`, `GMT+2`)."""
    name = moment.local.tzname() or ""
    if moment.zone.is_fixed or not name.isalpha() or name not in _KNOWN_SHORT:
        if moment.zone.name == "UTC" or name in ("UTC", "GMT"):
            return "UTC" if moment.zone.name == "UTC" else name
        return "GMT" + (offset_text(moment, "narrow") if moment.offset else "")
    return name


_KNOWN_SHORT = frozenset("EST EDT CST CDT MST MDT PST PDT AKST AKDT HST".split())
_LONG = {
    "EST": "Eastern Standard Time", "EDT": "Eastern Daylight Time",
    "CST": "Central Standard Time", "CDT": "Central Daylight Time",
    "MST": "Mountain Standard Time", "MDT": "Mountain Daylight Time",
    "PST": "Pacific Standard Time", "PDT": "Pacific Daylight Time",
    "UTC": "Coordinated Universal Time", "GMT": "Greenwich Mean Time",
}  # fmt: skip


def zone_long(moment: DateTime) -> str:
    """The zone's English name."""
    short = zone_short(moment)
    return _LONG.get(short) or (f"GMT{offset_text(moment, 'short')}" if moment.offset else short)


def week(moment: DateTime) -> tuple[int, int, int]:
    """ISO week year, week and weekday."""
    year, number, day = moment.local.isocalendar()
    return year, number, day


def _padded(number: int, size: int) -> str:
    return str(number).zfill(size)


def _hour12(moment: DateTime) -> int:
    return moment.local.hour % 12 or 12


def ordinal_day(moment: DateTime) -> int:
    """The day of the year."""
    return moment.local.timetuple().tm_yday


MONTHS_BY_LANGUAGE = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre"
    " diciembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro"
    " dezembro",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre"
    " dicembre",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
}
WEEKDAYS_BY_LANGUAGE = {
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "es": "lunes martes miércoles jueves viernes sábado domingo",
    "pt": "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
    "it": "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    "nl": "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
}


def month_name(moment: DateTime) -> str:
    """The month's name in the moment's language."""
    names = MONTHS_BY_LANGUAGE.get(moment.locale[:2], "").split() or MONTHS
    return names[moment.local.month - 1]


def weekday_name(moment: DateTime) -> str:
    """The weekday's name in the moment's language."""
    names = WEEKDAYS_BY_LANGUAGE.get(moment.locale[:2], "").split() or WEEKDAYS
    return names[moment.local.weekday()]


def _local_week(moment: DateTime) -> tuple[int, int]:
    """Year and week where weeks begin on Sunday and the first one holds 1 January."""
    local = moment.local.replace(tzinfo=None)
    saturday = local + timedelta(days=(5 - local.weekday()) % 7)
    return saturday.year, (saturday.timetuple().tm_yday - 1) // 7 + 1


_NAMED: dict[str, Callable[[DateTime], str]] = {
    "S": lambda m: str(m.millisecond),
    "u": lambda m: f"{m.millisecond:03d}",
    "SSS": lambda m: f"{m.millisecond:03d}",
    "uu": lambda m: f"{m.millisecond // 10:02d}",
    "uuu": lambda m: str(m.millisecond // 100),
    "s": lambda m: str(m.local.second),
    "ss": lambda m: _padded(m.local.second, 2),
    "m": lambda m: str(m.local.minute),
    "mm": lambda m: _padded(m.local.minute, 2),
    "h": lambda m: str(_hour12(m)),
    "hh": lambda m: _padded(_hour12(m), 2),
    "H": lambda m: str(m.local.hour),
    "HH": lambda m: _padded(m.local.hour, 2),
    "Z": lambda m: offset_text(m, "narrow"),
    "ZZ": lambda m: offset_text(m, "short"),
    "ZZZ": lambda m: offset_text(m, "techie"),
    "ZZZZ": zone_short,
    "ZZZZZ": zone_long,
    "z": lambda m: m.zone.name,
    "a": lambda m: "AM" if m.local.hour < 12 else "PM",
    "d": lambda m: str(m.local.day),
    "dd": lambda m: _padded(m.local.day, 2),
    "c": lambda m: str(m.local.isoweekday()),
    "ccc": lambda m: weekday_name(m)[:3],
    "cccc": weekday_name,
    "ccccc": lambda m: weekday_name(m)[0].upper(),
    "M": lambda m: str(m.local.month),
    "MM": lambda m: _padded(m.local.month, 2),
    "MMM": lambda m: month_name(m)[:3],
    "MMMM": month_name,
    "MMMMM": lambda m: month_name(m)[0].upper(),
    "y": lambda m: str(m.local.year),
    "yy": lambda m: _padded(m.local.year % 100, 2),
    "yyyy": lambda m: _padded(m.local.year, 4),
    "yyyyyy": lambda m: _padded(m.local.year, 6),
    "G": lambda m: "AD",
    "GG": lambda m: "Anno Domini",
    "GGGGG": lambda m: "A",
    "kk": lambda m: _padded(week(m)[0] % 100, 2),
    "kkkk": lambda m: _padded(week(m)[0], 4),
    "W": lambda m: str(week(m)[1]),
    "WW": lambda m: _padded(week(m)[1], 2),
    "n": lambda m: str(_local_week(m)[1]),
    "nn": lambda m: _padded(_local_week(m)[1], 2),
    "ii": lambda m: _padded(_local_week(m)[0] % 100, 2),
    "iiii": lambda m: _padded(_local_week(m)[0], 4),
    "o": lambda m: str(ordinal_day(m)),
    "ooo": lambda m: _padded(ordinal_day(m), 3),
    "q": lambda m: str(m.quarter),
    "qq": lambda m: _padded(m.quarter, 2),
    "X": lambda m: str(int(m.ms // 1000)),
    "x": lambda m: str(int(m.ms)),
    "D": lambda m: to_format(m, "M/d/yyyy"),
    "DD": lambda m: to_format(m, "LLL d, yyyy"),
    "DDD": lambda m: to_format(m, "LLLL d, yyyy"),
    "DDDD": lambda m: to_format(m, "EEEE, LLLL d, yyyy"),
    "t": lambda m: to_format(m, "h:mm a"),
    "tt": lambda m: to_format(m, "h:mm:ss a"),
    "ttt": lambda m: to_format(m, "h:mm:ss a ZZZZ"),
    "tttt": lambda m: to_format(m, "h:mm:ss a ZZZZZ"),
    "T": lambda m: to_format(m, "HH:mm"),
    "TT": lambda m: to_format(m, "HH:mm:ss"),
    "TTT": lambda m: to_format(m, "HH:mm:ss ZZZZ"),
    "f": lambda m: to_format(m, "M/d/yyyy, h:mm a"),
    "ff": lambda m: to_format(m, "LLL d, yyyy, h:mm a"),
    "fff": lambda m: to_format(m, "LLLL d, yyyy 'at' h:mm a ZZZZ"),
    "ffff": lambda m: to_format(m, "EEEE, LLLL d, yyyy 'at' h:mm a ZZZZZ"),
    "F": lambda m: to_format(m, "M/d/yyyy, h:mm:ss a"),
    "FF": lambda m: to_format(m, "LLL d, yyyy, h:mm:ss a"),
    "FFF": lambda m: to_format(m, "LLLL d, yyyy 'at' h:mm:ss a ZZZZ"),
    "FFFF": lambda m: to_format(m, "EEEE, LLLL d, yyyy 'at' h:mm:ss a ZZZZZ"),
}
for _name, _same in (
    ("E", "c"), ("EEE", "ccc"), ("EEEE", "cccc"), ("EEEEE", "ccccc"),
    ("L", "M"), ("LL", "MM"), ("LLL", "MMM"), ("LLLL", "MMMM"), ("LLLLL", "MMMMM"),
):  # fmt: skip
    _NAMED[_name] = _NAMED[_same]


def to_format(moment: DateTime, pattern: str) -> str:
    """`moment` by luxon's tokens; text between single quotes is literal."""
    if not moment.is_valid:
        return "Invalid DateTime"
    parts: list[str] = []
    for found in _TOKENS.finditer(pattern):
        literal, token, _, other = found.groups()
        if token:
            make = _NAMED.get(token)
            parts.append(make(moment) if make else token)
        elif literal is not None:
            parts.append(literal)
        else:
            parts.append(other)
    return "".join(parts)


def in_daylight_saving(moment: DateTime) -> bool:
    """Whether the zone's clock is ahead of its standard time."""
    if moment.zone.is_fixed:
        return False
    january = moment.local.replace(month=1, day=1).astimezone(moment.zone.tz).utcoffset()
    delta = moment.local.dst()
    return bool(delta) and delta != timedelta(0) and january is not None
