"""DateTime and Duration: the calendar, zones, tokens and text forms of luxon."""

import pytest

from penstock.workflow.expressions.date_format import to_format, to_iso
from penstock.workflow.expressions.date_parse import (
    from_format,
    from_http,
    from_iso,
    from_rfc2822,
    from_sql,
)
from penstock.workflow.expressions.dates import DateTime
from penstock.workflow.expressions.durations import Duration, duration_from_iso
from penstock.workflow.expressions.js_date import parse_date
from penstock.workflow.expressions.zones import Zone, find_zone
from tests.unit.expressions.scopes import resolve


def zone(name: str = "America/New_York") -> Zone:
    found = find_zone(name)
    assert found is not None
    return found


def moment(text: str, name: str = "America/New_York") -> DateTime:
    return from_iso(text, zone(name))


def test_calendar_units_keep_the_clock_and_hours_keep_the_time_that_passes() -> None:
    before = moment("2024-03-09T12:00")  # the night after, clocks go forward

    assert to_iso(before.plus(Duration({"days": 1}))) == "2024-03-10T12:00:00.000-04:00"
    assert to_iso(before.plus(Duration({"hours": 24}))) == "2024-03-10T13:00:00.000-04:00"


def test_months_end_on_their_last_day() -> None:
    assert to_iso(moment("2024-01-31").plus(Duration({"months": 1})))[:10] == "2024-02-29"


def test_a_difference_takes_large_units_first_and_leaves_the_rest_to_the_smallest() -> None:
    later, earlier = moment("2025-01-01"), moment("2024-03-30T18:49:07.234")

    found = later.diff(earlier, ["months", "days"])

    assert found.values["months"] == 9
    assert found.values["days"] == pytest.approx(1.2158884953703704)
    assert earlier.diff(later, ["months"]).values["months"] < 0


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("yyyy-MM-dd'T'HH:mm:ssZZ", "2024-05-17T05:08:07-04:00"),
        ("EEEE, d LLLL yy h:mm a", "Friday, 17 May 24 5:08 AM"),
        ("kkkk-'W'WW o q X x", "2024-W20 138 2 1715936887 1715936887000"),
        ("DD t ZZZZ z", "May 17, 2024 5:08 AM EDT America/New_York"),
    ],
)
def test_tokens(pattern: str, expected: str) -> None:
    assert to_format(moment("2024-05-17T09:08:07Z"), pattern) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024", "2024-01-01T00:00:00.000-05:00"),
        ("2024-W20-5", "2024-05-17T00:00:00.000-04:00"),
        ("2024-138", "2024-05-17T00:00:00.000-04:00"),
        ("20240517T090807Z", "2024-05-17T05:08:07.000-04:00"),
        ("2024-05-17T09:08+02:00", "2024-05-17T03:08:00.000-04:00"),
    ],
)
def test_iso_is_read_in_all_its_forms(text: str, expected: str) -> None:
    assert to_iso(moment(text)) == expected


def test_other_text_forms() -> None:
    here = zone()

    assert (
        to_iso(from_rfc2822("Fri, 29 Mar 2024 18:08:01 +0100", here, keep_zone=True))[-6:]
        == "+01:00"
    )
    assert to_iso(from_sql("2024-05-17 09:08:07.123", here)) == "2024-05-17T09:08:07.123-04:00"
    assert from_http("Fri, 17 May 2024 09:08:07 GMT", here).ms == 1715936887000
    assert (
        to_iso(from_format("17 May 2024 9:08 pm", "d LLL yyyy h:mm a", here))[:16]
        == "2024-05-17T21:08"
    )
    assert not from_format("17.05", "dd/MM", here).is_valid


def test_start_and_end_of_units() -> None:
    at = moment("2024-05-17T09:08:07Z")

    assert to_iso(at.start_of("weeks"))[:10] == "2024-05-13"
    assert to_iso(at.end_of("quarters")) == "2024-06-30T23:59:59.999-04:00"


def test_durations_convert_and_print() -> None:
    assert Duration({"minutes": 150}).shift_to(["hours", "minutes"]).values == {
        "hours": 2,
        "minutes": 30,
    }
    assert duration_from_iso("P1DT2H").to_ms() == 26 * 3_600_000
    assert Duration({"hours": 1, "seconds": 5}).to_human() == "1 hour, 5 seconds"
    assert Duration({"seconds": 3661}).to_format("hh:mm:ss") == "01:01:01"


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2024-05-17", 1715904000000),
        ("May 17, 2024 09:08:07", 1715936887000),
        ("5/17/2024", 1715904000000),
        ("Fri May 17 2024 09:08:07 GMT+0200", 1715929687000),
    ],
)
def test_javascript_reads_dates_loosely(text: str, ms: int) -> None:
    assert parse_date(text) == ms


def test_a_date_that_is_set_beyond_a_month_goes_on_into_the_next() -> None:
    assert (
        resolve("={{ new Date(new Date(2024, 0, 31).setMonth(1)).toISOString() }}")[:10]
        == "2024-03-02"
    )
