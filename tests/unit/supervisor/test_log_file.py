"""A program's log as a person at a terminal sees it."""

from datetime import UTC, datetime

from penstock.subjects import logs
from penstock.supervisor.log_file import in_words

AT = datetime(2026, 5, 4, 12, 3, 7, tzinfo=UTC)
CLOCK = f"{AT.astimezone():%H:%M:%S}"


def test_an_event_is_shown_with_its_time_and_program() -> None:
    line = logs.line("actors", "partition 2 is live", at=AT)

    assert in_words("actors-1", line) == f"{CLOCK} actors-1: partition 2 is live"


def test_what_is_no_everyday_event_says_so_and_fields_follow_in_brackets() -> None:
    line = logs.line("up", "disk full", level="error", at=AT, path="/data", times=2)

    assert in_words("up", line) == f"{CLOCK} up: error: disk full (path: /data, times: 2)"


def test_a_traceback_keeps_its_lines() -> None:
    line = logs.line("gateway", "odd", at=AT, error="Traceback:\n  here\n")

    assert in_words("gateway-1", line) == f"{CLOCK} gateway-1: odd\nTraceback:\n  here"


def test_what_is_no_line_of_ours_is_shown_as_it_is() -> None:
    for line in ("plain text", "{", "[]", '{"event": "x"}', '{"at": 3, "level": 1, "event": 2}'):
        assert in_words("nats", line) == f"nats: {line}"
