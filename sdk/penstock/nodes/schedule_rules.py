"""When a schedule fires: rules from the parameters of the schedule nodes, and their next time.

A rule is a cron expression (five or six fields, seconds first) in the workflow's time zone, or a
plain interval counted from an anchor. `next_due_ms` is pure, so the schedule actor can ask it on
replay. Daylight saving: a time that does not exist on a day fires at the next one that does; a
time that exists twice fires once.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from cronsim import CronSim, CronSimError

from penstock.subjects.errors import PenstockError

SCHEDULE, CRON, INTERVAL = (
    "n8n-nodes-base.scheduleTrigger",
    "n8n-nodes-base.cron",
    "n8n-nodes-base.interval",
)
_UNIT_MS = {"seconds": 1_000, "minutes": 60_000, "hours": 3_600_000}
_INTERVAL_MS_MAX = 2**31 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ANCHOR_DAY = datetime(1970, 1, 5)  # a Monday
_LOOK_AHEAD = 10_000


class ScheduleRule(msgspec.Struct, frozen=True, array_like=True):
    """One rule: `cron` set, or `interval_ms` with it. `every` thins out the days, weeks or months
    (`every_unit`) on which the cron expression fires: every n-th, counted since 1970."""

    cron: str = ""
    interval_ms: int = 0
    every: int = 1
    every_unit: str = ""


class InvalidScheduleError(PenstockError):
    """A rule that never fires or cannot be read."""


def rules(parameters: dict[str, Any], node_type: str, version: float = 1) -> list[ScheduleRule]:
    """The rules that a schedule node's parameters hold. Raises `InvalidScheduleError`."""
    if node_type == INTERVAL:
        return [_plain_interval(parameters)]
    if node_type == CRON:
        entries = _entries(parameters.get("triggerTimes"), "item")
        return [_checked(_cron_rule(entry)) for entry in entries]
    entries = _entries(parameters.get("rule", {"interval": [{"field": "days"}]}), "interval")
    return [_checked(_schedule_rule(entry)) for entry in entries]


def _entries(holder: Any, name: str) -> list[dict[str, Any]]:
    values = holder.get(name) if isinstance(holder, dict) else None
    return [entry for entry in values or () if isinstance(entry, dict)]


def _number(entry: dict[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = entry.get(name, default)
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = low - 1
    if not low <= number <= high:
        raise InvalidScheduleError(
            f"{name} is {value!r}", remedy=f"give a whole number from {low} to {high}"
        )
    return number


def _plain_interval(parameters: dict[str, Any]) -> ScheduleRule:
    unit = parameters.get("unit", "seconds")
    if unit not in _UNIT_MS:
        raise InvalidScheduleError(f"the unit {unit!r} is not known", remedy="hours, minutes, …")
    amount = _number(parameters, "interval", 1, 1, _INTERVAL_MS_MAX)
    interval_ms = amount * _UNIT_MS[unit]
    if interval_ms > _INTERVAL_MS_MAX:
        raise InvalidScheduleError("The interval value is too large.", remedy="at most 24 days")
    return ScheduleRule(interval_ms=interval_ms)


def _cron_rule(entry: dict[str, Any]) -> ScheduleRule:
    mode = entry.get("mode", "everyDay")
    make = _MODES.get(mode)
    if make is None:
        raise InvalidScheduleError(f"the mode {mode!r} is not known")
    return ScheduleRule(cron=make(entry))


def _every_x(entry: dict[str, Any]) -> str:
    value = _number(entry, "value", 2, 1, 1_000)
    minutes = entry.get("unit", "hours") == "minutes"
    return f"0 */{value} * * * *" if minutes else f"0 0 */{value} * * *"


def _minute_and_hour(entry: dict[str, Any]) -> str:
    return f"0 {_number(entry, 'minute', 0, 0, 59)} {_number(entry, 'hour', 14, 0, 23)}"


_MODES: dict[str, Callable[[dict[str, Any]], str]] = {
    "custom": lambda entry: str(entry.get("cronExpression", "* * * * * *")).strip(),
    "everyX": _every_x,
    "everyMinute": lambda entry: "0 * * * * *",
    "everyHour": lambda entry: f"0 {_number(entry, 'minute', 0, 0, 59)} * * * *",
    "everyDay": lambda entry: f"{_minute_and_hour(entry)} * * *",
    "everyWeek": lambda entry: (
        f"{_minute_and_hour(entry)} * * {_number(entry, 'weekday', 1, 0, 7)}"
    ),
    "everyMonth": lambda entry: (
        f"{_minute_and_hour(entry)} {_number(entry, 'dayOfMonth', 1, 1, 31)} * *"
    ),
}


def _schedule_rule(entry: dict[str, Any]) -> ScheduleRule:
    field = entry.get("field", "days")
    if field == "cronExpression":
        return ScheduleRule(cron=str(entry.get("expression", "")).strip())
    make = _FIELDS.get(field)
    if make is None:
        raise InvalidScheduleError(f"the interval {field!r} is not known")
    return make(entry)


def _seconds(entry: dict[str, Any]) -> ScheduleRule:
    return ScheduleRule(cron=f"*/{_number(entry, 'secondsInterval', 30, 1, 59)} * * * * *")


def _minutes(entry: dict[str, Any]) -> ScheduleRule:
    return ScheduleRule(cron=f"0 */{_number(entry, 'minutesInterval', 5, 1, 59)} * * * *")


def _hours(entry: dict[str, Any]) -> ScheduleRule:
    every = _number(entry, "hoursInterval", 1, 1, 10_000)
    minute = _number(entry, "triggerAtMinute", 0, 0, 59)
    return ScheduleRule(cron=f"0 {minute} * * * *", every=every, every_unit="hours")


def _time_of_day(entry: dict[str, Any]) -> str:
    minute = _number(entry, "triggerAtMinute", 0, 0, 59)
    return f"0 {minute} {_number(entry, 'triggerAtHour', 0, 0, 23)}"


def _days(entry: dict[str, Any]) -> ScheduleRule:
    every = _number(entry, "daysInterval", 1, 1, 10_000)
    return ScheduleRule(cron=f"{_time_of_day(entry)} * * *", every=every, every_unit="days")


def _weeks(entry: dict[str, Any]) -> ScheduleRule:
    every = _number(entry, "weeksInterval", 1, 1, 1_000)
    chosen = entry.get("triggerAtDay", [0])
    days = [_number({"triggerAtDay": day}, "triggerAtDay", 0, 0, 7) for day in chosen or [0]]
    names = ",".join(map(str, days))
    return ScheduleRule(f"{_time_of_day(entry)} * * {names}", every=every, every_unit="weeks")


def _months(entry: dict[str, Any]) -> ScheduleRule:
    every = _number(entry, "monthsInterval", 1, 1, 1_000)
    day = _number(entry, "triggerAtDayOfMonth", 1, 1, 31)
    return ScheduleRule(f"{_time_of_day(entry)} {day} * *", every=every, every_unit="months")


_FIELDS = {
    "seconds": _seconds,
    "minutes": _minutes,
    "hours": _hours,
    "days": _days,
    "weeks": _weeks,
    "months": _months,
}


def _checked(rule: ScheduleRule) -> ScheduleRule:
    try:
        next(_times(rule.cron, _ANCHOR_DAY.replace(year=2024, tzinfo=UTC)))
    except (CronSimError, StopIteration) as error:
        raise InvalidScheduleError(
            f"{rule.cron!r} is not a cron expression that ever fires",
            remedy="five fields (minute hour day month weekday), or six with seconds first",
        ) from error
    return rule


def _times(cron: str, after: datetime) -> CronSim:
    # cronsim knows what to do about clock changes only without seconds.
    return CronSim(cron.removeprefix("0 ") if len(cron.split()) == 6 else cron, after)


def next_due_ms(
    rule: ScheduleRule, after_ms: int, timezone: str, *, anchor_ms: int = 0
) -> int | None:
    """When the rule fires next after `after_ms`, `None` when it never does again.

    `anchor_ms` is from when an interval counts: the time of activation.
    """
    if rule.interval_ms:
        passed = (after_ms - anchor_ms) // rule.interval_ms
        return anchor_ms + (max(passed, 0) + 1) * rule.interval_ms
    try:
        zone = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        return None  # activation says so; one that was active before must not poison the actor
    after = (_EPOCH + timedelta(milliseconds=after_ms)).astimezone(zone)
    try:
        for _, due in zip(range(_LOOK_AHEAD), _times(rule.cron, after), strict=False):
            if _is_turn(rule, due):
                return int((due - _EPOCH) / timedelta(milliseconds=1))
    except (CronSimError, OverflowError):
        return None
    return None


def _is_turn(rule: ScheduleRule, due: datetime) -> bool:
    """Whether this hour, day, week or month is one of every n-th."""
    if rule.every <= 1:
        return True
    since = due.replace(tzinfo=None) - _ANCHOR_DAY
    count = {
        "hours": since // timedelta(hours=1),
        "days": since.days,
        "weeks": since.days // 7,
        "months": due.year * 12 + due.month - 1,
    }[rule.every_unit]
    return count % rule.every == 0
