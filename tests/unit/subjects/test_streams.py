"""The declarations of streams hold together."""

from penstock.subjects import names
from penstock.subjects.memory_broker import matches
from penstock.subjects.streams import BUCKETS, consumers, streams

ALL = (*streams("local"), *BUCKETS)


def test_shares_leave_room_in_each_budget() -> None:
    for storage in ("file", "memory"):
        assert sum(spec.share for spec in ALL if spec.storage == storage) < 1


def test_every_stream_has_a_share() -> None:
    assert [spec.name for spec in ALL if spec.share <= 0] == []


def test_every_engine_subject_is_held_by_exactly_one_stream() -> None:
    subjects = {
        names.runs("local", 3): "EXEC",
        names.signals("local", 3): "EXEC",
        names.journal("local", 3): "EXEC",
        names.snapshot_head("local", 3): "SNAP",
        names.snapshot_chunk("local", 3, "g1", 0): "SNAP",
        names.steps("local", "process"): "STEPS",
        names.done("local", 3): "DONE",
        names.dead("local", "poison"): "DEAD",
        names.audit("main"): "AUDIT",
    }

    for subject, stream in subjects.items():
        holders = [s.name for s in ALL if any(matches(p, subject) for p in s.subjects)]
        assert holders == [stream], subject


def test_taps_questions_replies_and_heartbeats_are_in_no_stream() -> None:
    core = [
        names.tap("main", "w", "e", "started"),
        names.ask("local", 1, "lease"),
        names.history("local", "list"),
        names.replies("g1"),
        names.heartbeat("actors", "a1"),
    ]

    for subject in core:
        assert not any(matches(p, subject) for s in ALL for p in s.subjects), subject


def test_truth_is_refused_rather_than_overwritten() -> None:
    discards = {spec.name: (spec.storage, spec.discard) for spec in ALL}

    assert discards["EXEC"] == discards["AUDIT"] == discards["SNAP"] == ("file", "new")


def test_work_consumers_have_one_filter_inside_of_their_stream() -> None:
    held = {spec.name: spec.subjects for spec in ALL}

    for consumer in consumers("local"):
        assert any(matches(pattern, consumer.subject) for pattern in held[consumer.stream])
        assert "*" not in consumer.subject
