"""The fold joins requests with records, whatever the order and wherever it was interrupted."""

from collections.abc import Callable

import msgspec
import pytest

from penstock.actors.execution.events import Called, Finished, Ran, Started, Tried, Waited, Woken
from penstock.actors.history.fold import Batch, Fold
from penstock.actors.history.replay import recording_of
from penstock.actors.journal import RECORDS, RUNS, Entry, Happened, Held, Limited, Record
from penstock.subjects import names
from penstock.subjects.bus import Message
from penstock.subjects.codec import VERSION, NewerVersionError
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Call, RunRequest, TenantLimits


def request(execution: str) -> RunRequest:
    return RunRequest(execution, "main", "w", "plan", "", "webhook", [{"json": {"n": 1}}], 1000)


class Stream:
    """Messages of one partition with their sequences."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def _add(self, subject: str, payload: bytes) -> int:
        self.messages.append(Message(subject, payload, len(self.messages) + 1))
        return len(self.messages)

    def ask(self, *executions: str) -> int:
        frame = RUNS.encode([request(execution) for execution in executions])
        return self._add(names.runs("local", 0), frame)

    def record(self, input_seq: int, *entries: Entry) -> int:
        frame = RECORDS.encode(Record("o", 1, len(self.messages), 5000, input_seq, [*entries]))
        return self._add(names.journal("local", 0), frame)

    def junk(self, subject: str, payload: bytes = b"\x01\xc1") -> int:
        return self._add(subject, payload)


def fed(stream: Stream) -> Fold:
    fold = Fold(0, {})
    for message in stream.messages:
        fold.feed(message)
    return fold


def taken(stream: Stream) -> Batch:
    return fed(stream).take()


def ended(execution: str) -> Happened:
    return Happened(execution, [Started(10), Ran(0, [[]], 11), Finished("success", 12)])


def test_executions_that_end_in_one_record_are_one_row_and_one_body_each() -> None:
    stream = Stream()
    stream.record(stream.ask("a", "b"), ended("a"), ended("b"))

    batch = taken(stream)

    assert [(row.id, row.status, row.started_ms, row.finished_ms) for row in batch.rows] == [
        ("a", "success", 10, 12),
        ("b", "success", 10, 12),
    ]
    recording = recording_of([batch.bodies["a"].encode()])
    assert recording is not None
    assert recording.request == request("a")
    assert recording.events == ended("a").events
    assert (batch.position, batch.read_from) == (2, 3)


def test_a_request_that_nobody_took_leaves_nothing_and_is_not_read_again() -> None:
    stream = Stream()
    stream.record(stream.ask("refused"))

    batch = taken(stream)

    assert (batch.rows, batch.read_from) == ([], 3)


def test_what_still_waits_is_read_again_by_a_successor() -> None:
    stream = Stream()
    first = stream.ask("a", "b")
    stream.ask("c")
    stream.record(first - 1, ended("b"))  # out of turn: `a` still waits before it
    before = taken(stream)
    stream.record(first, ended("a"))

    successor = Fold(before.position, {})
    for message in stream.messages[before.read_from - 1 :]:
        successor.feed(message)
    after = successor.take()

    assert before.read_from == first
    assert [row.id for row in after.rows] == ["a"]
    assert after.read_from == 2  # `c` still waits


@pytest.mark.parametrize("split", range(9))
def test_a_fold_interrupted_anywhere_comes_to_the_same_rows(split: int) -> None:
    stream = Stream()
    one = stream.ask("a", "b")
    stream.record(one - 1, Happened("b", [Started(10), Waited(1, -1, 11)]))
    two = stream.ask("c")
    stream.record(one, Held("a", "rate"))
    stream.record(two, ended("c"), Happened("b", [Woken(20), Finished("canceled", 21)]))
    stream.record(two, Happened("a", [Started(30, request("a")), Finished("success", 31)]))
    stream.record(stream.ask("d"), ended("d"))
    whole = {row.id: msgspec.structs.asdict(row) for row in taken(stream).rows}

    first = Fold(0, {})
    for message in stream.messages[:split]:
        first.feed(message)
    half = first.take()
    second = Fold(half.position, dict(first.open))
    for message in stream.messages[half.read_from - 1 :]:
        second.feed(message)
    rows = {row.id: msgspec.structs.asdict(row) for row in (*half.rows, *second.take().rows)}

    assert rows == whole


def waiting(event: object) -> Callable[[], tuple[str, str, int]]:
    def state() -> tuple[str, str, int]:
        stream = Stream()
        stream.record(stream.ask("a"), Happened("a", [Started(1), event]))  # type: ignore[list-item]
        row = taken(stream).rows[0]
        return row.status, row.waiting_for, row.until_ms

    return state


def test_what_an_execution_waits_for_is_told() -> None:
    call = Call("other", [[]])

    assert waiting(Waited(1, 500, 2))() == ("waiting", "timer", 500)
    assert waiting(Waited(1, -1, 2))() == ("waiting", "signal", 0)
    assert waiting(Tried(ErrorInfo("no"), 700, 1))() == ("running", "retry", 700)
    assert waiting(Called(1, ["a-1"], 2, call=call))() == ("running", "call", 0)
    assert waiting(Called(1, ["a-1"], 2))() == ("running", "", 0)


def test_a_held_request_shows_its_reason_until_it_starts() -> None:
    stream = Stream()
    stream.record(stream.ask("a"), Held("a", "concurrency"))
    held = taken(stream).rows[0]
    stream.record(1, Happened("a", [Started(9, request("a"))]))
    started = taken(stream).rows[0]

    assert (held.status, held.waiting_for, held.started_ms) == ("waiting", "concurrency", 0)
    assert (started.status, started.waiting_for, started.started_ms) == ("running", "", 9)


def test_a_record_of_things_that_are_no_executions_changes_nothing() -> None:
    stream = Stream()
    stream.record(0, Limited(TenantLimits("main")))

    assert taken(stream).rows == []


@pytest.mark.parametrize(
    "subject", ["exec.local.0.journal", "exec.local.0.in.run", "exec.local", "exec.local.x.journal"]
)
def test_what_cannot_be_read_is_passed_over(subject: str) -> None:
    stream = Stream()
    stream.junk(subject)
    stream.record(stream.ask("a"), ended("a"))

    batch = taken(stream)

    assert [row.id for row in batch.rows] == ["a"]
    assert batch.position == 3


def test_a_record_of_a_newer_version_stops_the_fold_before_it_and_is_read_by_the_next_one() -> None:
    stream = Stream()
    stream.record(stream.ask("a"), ended("a"))
    newer = stream.junk(names.journal("local", 0), bytes([VERSION + 1]) + b"\x90")
    fold = Fold(0, {})
    for message in stream.messages[:-1]:
        fold.feed(message)

    with pytest.raises(NewerVersionError, match="frame version"):
        fold.feed(stream.messages[-1])

    batch = fold.take()
    assert [row.id for row in batch.rows] == ["a"]
    assert batch.position == newer - 1
    assert batch.floors == {"0": newer - 1}


def test_events_whose_request_is_gone_are_passed_over_and_told_with_their_batch() -> None:
    stream = Stream()
    stream.record(0, ended("purged"), Happened("begun", [Ran(0, [[]], 11)]))

    batch = taken(stream)

    assert batch.rows == []
    assert len(batch.lost) == 2 and "purged" in batch.lost[0] and "begun" in batch.lost[1]
