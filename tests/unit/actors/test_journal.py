"""Reading a journal joins each start with its request, wherever that stands."""

import pytest

from penstock.actors.execution.events import Finished, Started
from penstock.actors.journal import RECORDS, RUNS, Entry, Happened, Held, JournalReader, Record
from penstock.subjects.bus import Message
from penstock.subjects.messages import RunRequest


def request(execution: str) -> RunRequest:
    return RunRequest(execution, "main", "w", "h", "", "manual", [], 0)


def runs(sequence: int, *executions: str) -> Message:
    frame = RUNS.encode([request(execution) for execution in executions])
    return Message("exec.local.0.in.run", frame, sequence)


def record(sequence: int, input_seq: int, *entries: Entry) -> Message:
    frame = RECORDS.encode(Record("o", 1, 1, 5, input_seq, list(entries)))
    return Message("exec.local.0.journal", frame, sequence)


def started(execution: str) -> Happened:
    return Happened(execution, [Started(5), Finished("success", 5)])


def requests_in(found: Record | None) -> list[str]:
    assert found is not None
    joined = []
    for entry in found.entries:
        assert isinstance(entry, Happened)
        first = entry.events[0]
        assert isinstance(first, Started)
        assert first.request is not None
        joined.append(first.request.execution)
    return joined


def test_a_start_gets_the_request_that_stands_in_the_inputs() -> None:
    reader = JournalReader()

    assert reader.feed(runs(1, "a", "b")) is None
    assert requests_in(reader.feed(record(2, 1, started("a"), started("b")))) == ["a", "b"]
    assert (reader.input_seq, reader.record_seq, reader.resume_from) == (1, 2, 2)


def test_requests_beyond_the_watermark_may_be_started_first() -> None:
    reader = JournalReader()
    reader.feed(runs(1, "a"))
    reader.feed(runs(2, "b"))

    assert requests_in(reader.feed(record(3, 0, started("b")))) == ["b"]
    assert reader.taken == {"b": 2}
    assert requests_in(reader.feed(record(4, 2, started("a")))) == ["a"]
    assert reader.taken == {}


def test_a_held_request_is_joined_when_it_is_held() -> None:
    reader = JournalReader()
    reader.feed(runs(1, "a"))

    found = reader.feed(record(2, 1, Held("a", "concurrency")))

    assert found is not None
    entry = found.entries[0]
    assert isinstance(entry, Held)
    assert entry.request is not None
    assert entry.request.execution == "a"


def test_a_reader_that_resumes_skips_what_it_knows_and_misses_nothing() -> None:
    messages = [runs(1, "a"), runs(2, "b"), record(3, 1, started("a")), record(4, 2, started("b"))]
    first = JournalReader()
    for message in messages[:3]:
        first.feed(message)

    second = JournalReader(input_seq=first.input_seq, record_seq=first.record_seq)
    found = [second.feed(m) for m in messages if m.sequence >= second.resume_from]

    assert [requests_in(r) for r in found if r is not None] == [["b"]]


def test_a_request_that_the_watermark_passes_untaken_is_forgotten() -> None:
    reader = JournalReader()
    reader.feed(runs(1, "a"))
    reader.feed(record(2, 1))

    with pytest.raises(AssertionError, match="gone from the inputs"):
        reader.feed(record(3, 1, started("a")))


def test_an_input_that_cannot_be_decoded_does_not_stop_a_reader() -> None:
    reader = JournalReader()

    assert reader.feed(Message("exec.local.0.in.run", b"\x01\xff", 1)) is None
    assert reader.feed(record(2, 1)) is not None
