"""Time zones by the names luxon understands."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSET = re.compile(r"(?:utc|gmt)(?:([+-])(\d{1,2})(?::(\d{2}))?)?\Z", re.I)


class Zone:
    """A time zone: a name, and how far local time is from UTC at an instant."""

    __slots__ = ("is_fixed", "name", "tz")

    def __init__(self, name: str, tz: tzinfo, *, is_fixed: bool) -> None:
        self.name = name
        self.tz = tz
        self.is_fixed = is_fixed

    def local(self, ms: float) -> datetime:
        """Local time at an instant; raises OverflowError outside of the years 1 to 9999."""
        return (_EPOCH + timedelta(milliseconds=ms)).astimezone(self.tz)

    def offset(self, ms: float) -> int:
        """Minutes east of UTC at an instant."""
        delta = self.local(ms).utcoffset()
        return int(delta.total_seconds() // 60) if delta is not None else 0

    def instant(self, local: datetime) -> int:
        """The instant of a local time without zone; in a gap, the time moves forward."""
        delta = local.replace(tzinfo=self.tz) - _EPOCH
        return delta // timedelta(milliseconds=1)


def fixed_zone(minutes: int) -> Zone:
    """A zone with one offset, named as luxon names it (`UTC+5:30`)."""
    if minutes == 0:
        return Zone("UTC", UTC, is_fixed=True)
    hours, rest = divmod(abs(minutes), 60)
    name = f"UTC{'+' if minutes > 0 else '-'}{hours}{f':{rest:02d}' if rest else ''}"
    return Zone(name, timezone(timedelta(minutes=minutes)), is_fixed=True)


@lru_cache(maxsize=1024)
def find_zone(name: str) -> Zone | None:
    """The zone of a name, `None` for an unknown one."""
    found = _OFFSET.match(name)
    if found:
        sign = -1 if found.group(1) == "-" else 1
        return fixed_zone(sign * (int(found.group(2) or 0) * 60 + int(found.group(3) or 0)))
    try:
        return Zone(name, ZoneInfo(_canonical(name)), is_fixed=False)
    except (ValueError, OSError, LookupError):
        return None


def _canonical(name: str) -> str:
    """Zone names match without regard to case."""
    from zoneinfo import available_timezones

    if not re.match(r"[A-Za-z0-9_+/-]+\Z", name):
        raise ValueError(name)
    return _by_lower(tuple(sorted(available_timezones()))).get(name.lower(), name)


@lru_cache(maxsize=1)
def _by_lower(names: tuple[str, ...]) -> dict[str, str]:
    return {name.lower(): name for name in names}


UTC_ZONE = fixed_zone(0)
