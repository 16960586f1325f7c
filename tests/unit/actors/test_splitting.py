"""Records in two parts: what a crash between them may leave."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.actors.execution.events import Finished, Ran, Started, Waited
from penstock.actors.journal import RUNS, Answered, Entry, Fired, Happened, Saved
from penstock.actors.splitting import TooLargeError, parted
from penstock.subjects import codec, names
from penstock.subjects.messages import Cancel, ReplyTo, Respond, RunRequest
from penstock.workflow.document import content_hash
from tests.simulation.workflows import ALL, FAILING
from tests.unit.actors.owner import Owner, owned
from tests.unit.actors.owner import ends as ends_of


def goes_on(execution: str) -> Entry:
    return Happened(execution, [Waited(1, 1, 1)])


def starts(execution: str) -> Entry:
    return Happened(execution, [Started(1)])


def ends(execution: str) -> Entry:
    return Happened(execution, [Finished("error", 1)])


def answered(execution: str) -> Entry:
    return Answered(execution, ReplyTo("g", 1), Respond(200, {}, b""))


def fired(execution: str) -> Entry:
    return Fired("main", "w", "n", 1, 2, execution)


SAVED = Saved("main", "w", 1, {})
ANSWERED = Ran(1, [], 1, is_answered=True)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([goes_on("a"), goes_on("b"), goes_on("c"), goes_on("d")], 2),
        ([goes_on("a"), ends("a"), starts("a-error"), goes_on("b")], 1),
        ([ends("a"), starts("a-error"), goes_on("b"), goes_on("c"), goes_on("d")], 2),
        ([ends("a-1"), goes_on("a"), ends("a"), goes_on("b")], 3),
        ([fired("a"), fired("b"), starts("a"), starts("b"), goes_on("c")], 4),
        ([goes_on("a"), goes_on("b"), ends("c"), answered("c"), SAVED], 2),
        ([goes_on("b"), goes_on("c"), SAVED, goes_on("d")], 1),
        ([goes_on("a"), goes_on("a"), goes_on("a"), ends("a"), starts("a-error")], 2),
    ],
)
def test_a_record_is_parted_near_its_middle_between_causes_and_consequences(
    entries: list[Entry], expected: int
) -> None:
    assert parted(entries) == (entries[:expected], entries[expected:])


def test_what_cannot_be_parted_well_is_parted_in_the_middle() -> None:
    for entries in (
        [ends("a"), starts("a-error")],
        [fired("a"), goes_on("b"), goes_on("c"), starts("a")],
    ):
        half = len(entries) // 2
        assert parted(entries) == (entries[:half], entries[half:])


def test_one_execution_is_parted_between_its_events_and_before_its_end_comes_its_answer() -> None:
    begins, ran, responds, finished = Started(1), Ran(1, [], 1), ANSWERED, Finished("success", 1)
    whole = Happened("a", [begins, ran, responds, finished])
    answer = answered("a")

    assert parted([whole, answer]) == (
        [Happened("a", [begins]), Happened("a", [ran])],
        [Happened("a", [responds]), answer, Happened("a", [finished])],
    )
    at_the_end = Happened("a", [begins, ran, ran, finished])
    assert parted([at_the_end, answer]) == (
        [Happened("a", [begins]), Happened("a", [ran])],
        [Happened("a", [ran]), Happened("a", [finished]), answer],
    )


def test_a_single_event_cannot_be_parted() -> None:
    for entry in (ends("a"), answered("a")):
        with pytest.raises(TooLargeError):
            parted([entry])


KINDS = (goes_on, starts, ends, answered, fired)


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from("abc")), min_size=2, max_size=30))
def test_parting_again_and_again_comes_to_single_entries(drawn: list[tuple[type, str]]) -> None:
    entries = [kind(execution) for kind, execution in drawn]
    parts = [entries]
    for _ in entries:
        parts = [half for part in parts for half in (parted(part) if len(part) > 1 else (part,))]

    assert [entry for part in parts for entry in part] == entries
    assert all(len(part) == 1 for part in parts)
    assert all(before is not after for before, after in pairwise(parts))


def test_a_failure_and_its_error_workflow_stand_in_one_record_even_when_records_are_parted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(owner: Owner) -> None:
        failing = {**FAILING, "settings": {**FAILING["settings"], "errorWorkflow": "inline"}}
        await owner.store("told", failing)
        plan = content_hash(failing)
        batch = [RunRequest(f"e{n}", "main", "told", plan, "", "webhook", [], 0) for n in range(9)]
        owner.append(names.runs("local", 0), RUNS.encode(batch[:1]))
        await asyncio.sleep(3)  # both plans are loaded

        monkeypatch.setattr(codec, "MESSAGE_BYTES_MAX", 2_500)
        owner.append(names.runs("local", 0), RUNS.encode(batch[1:]))
        await asyncio.sleep(3)

        records = owner.records()
        largest = max(len(entries) for entries in records)
        assert 1 < largest < 16
        for number in range(1, 9):
            of = [
                {each.execution for each in entries if isinstance(each, Happened)}
                for entries in records
            ]
            (together,) = [ids for ids in of if f"e{number}" in ids]
            assert f"e{number}-error" in together

    owned(test)


def test_a_crash_between_the_parts_of_a_record_passes_no_input_that_is_not_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(owner: Owner) -> None:
        plan = content_hash(ALL["inline"])
        ids = [f"e{number}" for number in range(12)]
        batch = [RunRequest(each, "main", "inline", plan, "", "webhook", [], 0) for each in ids]
        owner.append(names.runs("local", 0), RUNS.encode(batch[:1]))
        await asyncio.sleep(3)  # the plan is loaded

        stored = len(owner.records())
        with monkeypatch.context() as patch:
            patch.setattr(codec, "MESSAGE_BYTES_MAX", 1_500)
            owner.append(names.runs("local", 0), RUNS.encode(batch[1:2]))
            for _ in range(100):
                if not owner.partition.committer.is_busy:
                    await asyncio.sleep(0)
            # These come while a record is on its way, and so are handled together.
            owner.append(names.runs("local", 0), RUNS.encode(batch[2:]))
            owner.signal(Cancel("nobody"))
            for _ in range(100):
                if len(owner.records()) < stored + 2:
                    await asyncio.sleep(0)
            owner.kill()
        assert len(owner.records()) == stored + 2
        assert len(ends_of(owner)) < 12
        await owner.take_over()
        await asyncio.sleep(3)

        assert ends_of(owner) == dict.fromkeys(ids, "success")

    owned(test)
