"""Schedules: when they fire, across time zones and clock changes, and what they put out."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from penstock.nodes.schedule import Cron, ScheduleTrigger, fired_item
from penstock.nodes.schedule_rules import (
    CRON,
    INTERVAL,
    SCHEDULE,
    InvalidScheduleError,
    next_due_ms,
    rules,
)
from penstock.sdk.testkit import NOW_MS, jsons, run

BERLIN = "Europe/Berlin"


def due(node_type: str, parameters: dict[str, Any], after: str, zone: str = BERLIN) -> list[str]:
    """The first three times in local time, as text."""
    (rule,) = rules(parameters, node_type)
    local = ZoneInfo(zone)
    now: int | None = int(datetime.fromisoformat(after).replace(tzinfo=local).timestamp() * 1000)
    found = []
    for _ in range(3):
        assert now is not None
        now = next_due_ms(rule, now, zone)
        assert now is not None
        moment = datetime.fromtimestamp(now / 1000, UTC).astimezone(local)
        found.append(moment.strftime("%m-%d %H:%M:%S"))
    return found


def every(**entry: Any) -> dict[str, Any]:
    return {"rule": {"interval": [entry]}}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"field": "seconds"}, ["01-01 10:00:30", "01-01 10:01:00", "01-01 10:01:30"]),
        (
            {"field": "minutes", "minutesInterval": 20},
            ["01-01 10:20:00", "01-01 10:40:00", "01-01 11:00:00"],
        ),
        (
            {"field": "hours", "triggerAtMinute": 5},
            ["01-01 10:05:00", "01-01 11:05:00", "01-01 12:05:00"],
        ),
        ({}, ["01-02 00:00:00", "01-03 00:00:00", "01-04 00:00:00"]),
        (
            {"field": "weeks", "triggerAtDay": [1, 3], "triggerAtHour": 9},
            ["01-06 09:00:00", "01-08 09:00:00", "01-13 09:00:00"],
        ),
        (
            {"field": "months", "triggerAtDayOfMonth": 31},
            ["01-31 00:00:00", "03-31 00:00:00", "05-31 00:00:00"],
        ),
        (
            {"field": "cronExpression", "expression": "30 8 * * 1-5"},
            ["01-02 08:30:00", "01-03 08:30:00", "01-06 08:30:00"],
        ),
    ],
)
def test_the_schedule_trigger_fires(entry: dict[str, Any], expected: list[str]) -> None:
    assert due(SCHEDULE, every(**entry), "2025-01-01T10:00:00") == expected


def test_every_nth_day_keeps_its_distance_across_months() -> None:
    times = due(SCHEDULE, every(field="days", daysInterval=3), "2025-01-30T00:00:00")

    days = [datetime.strptime(f"2025-{time}", "%Y-%m-%d %H:%M:%S") for time in times]
    assert [(b - a).days for a, b in pairwise(days)] == [3, 3]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, ["01-01 14:00:00", "01-02 14:00:00", "01-03 14:00:00"]),
        ({"mode": "everyMinute"}, ["01-01 10:01:00", "01-01 10:02:00", "01-01 10:03:00"]),
        ({"mode": "everyX", "value": 6}, ["01-01 12:00:00", "01-01 18:00:00", "01-02 00:00:00"]),
        (
            {"mode": "everyWeek", "weekday": "0", "hour": 1},
            ["01-05 01:00:00", "01-12 01:00:00", "01-19 01:00:00"],
        ),
        (
            {"mode": "custom", "cronExpression": "0 0 3 1 * *"},
            ["02-01 03:00:00", "03-01 03:00:00", "04-01 03:00:00"],
        ),
    ],
)
def test_the_old_cron_node_fires(entry: dict[str, Any], expected: list[str]) -> None:
    parameters = {"triggerTimes": {"item": [entry]}}

    assert due(CRON, parameters, "2025-01-01T10:00:00") == expected


def test_a_time_that_a_clock_change_skips_fires_once_that_day() -> None:
    daily = every(field="days", triggerAtHour=2, triggerAtMinute=30)

    times = due(SCHEDULE, daily, "2025-03-29T12:00:00")

    assert [time[:5] for time in times] == ["03-30", "03-31", "04-01"]


def test_a_time_that_a_clock_change_repeats_fires_once() -> None:
    daily = every(field="days", triggerAtHour=2, triggerAtMinute=30)

    times = due(SCHEDULE, daily, "2025-10-25T12:00:00")

    assert times == ["10-26 02:30:00", "10-27 02:30:00", "10-28 02:30:00"]


def test_an_interval_counts_from_its_anchor() -> None:
    (rule,) = rules({"interval": 90, "unit": "seconds"}, INTERVAL)

    assert next_due_ms(rule, 1_000, "UTC", anchor_ms=1_000) == 91_000
    assert next_due_ms(rule, 91_000, "UTC", anchor_ms=1_000) == 181_000
    assert next_due_ms(rule, 100_000, "UTC", anchor_ms=1_000) == 181_000


@pytest.mark.parametrize(
    ("node_type", "parameters"),
    [
        (SCHEDULE, every(field="cronExpression", expression="every day")),
        (SCHEDULE, every(field="cronExpression", expression="0 0 30 2 *")),
        (SCHEDULE, every(field="minutes", minutesInterval=0)),
        (SCHEDULE, every(field="centuries")),
        (CRON, {"triggerTimes": {"item": [{"mode": "everyBlueMoon"}]}}),
        (INTERVAL, {"interval": "often"}),
        (INTERVAL, {"interval": 10_000, "unit": "hours"}),
    ],
)
def test_a_rule_that_never_fires_is_refused(node_type: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(InvalidScheduleError):
        rules(parameters, node_type)


def test_the_item_tells_the_time_in_the_workflows_zone() -> None:
    json = fired_item(SCHEDULE, NOW_MS, "America/New_York")["json"]

    assert json["timestamp"] == "2025-03-15T10:30:45.123-04:00"
    assert json["Readable date"] == "March 15th 2025, 10:30:45 am"
    assert (json["Day of week"], json["Hour"]) == ("Saturday", "10")
    assert json["Timezone"] == "America/New_York (UTC-04:00)"
    assert fired_item(CRON, NOW_MS, "UTC") == {"json": {}}


def test_started_by_hand_a_schedule_fires_now() -> None:
    outcome = run(ScheduleTrigger, {}, timezone=BERLIN)

    assert jsons(outcome)[0][0]["timestamp"] == "2025-03-15T15:30:45.123+01:00"
    assert jsons(run(Cron, {})) == [[{}]]
