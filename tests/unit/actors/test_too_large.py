"""What happens to an execution in one turn may be more than a record holds, or a message."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from penstock.actors.inbox import RESULTS
from penstock.actors.journal import RUNS
from penstock.actors.partition import TOO_LARGE
from penstock.subjects import codec, names
from penstock.subjects.messages import Item, Outcome, ReplyTo, RunRequest, StepResult
from penstock.workflow.document import content_hash
from tests.simulation.workflows import ALL, TRIGGER, code, document, mark, node
from tests.unit.actors.owner import Owner, ends, errors, owned

MESSAGE = 40_000
LARGE = "x" * 15_000
"""Passed through three nodes it is more than a record holds; tripled, more than a message."""


def grow(name: str) -> dict[str, object]:
    """An inline node that triples the text."""
    text = {"id": "1", "name": "text", "type": "string"}
    text["value"] = "={{ $json.text + $json.text + $json.text }}"
    return node(name, "set", 3.4, assignments={"assignments": [text]}, options={})


GROWING = document("growing", TRIGGER, grow("a"), edges={"start": [["a"]]})
THEN_CODE = document(
    "then_code",
    TRIGGER,
    *(mark("a"), mark("b"), mark("c"), code("d")),
    edges={"start": [["a"]], "a": [["b"]], "b": [["c"]], "c": [["d"]]},
)
AFTER_CODE = document(
    "after_code",
    TRIGGER,
    *(code("d"), mark("a"), mark("b"), mark("c")),
    edges={"start": [["d"]], "d": [["a"]], "a": [["b"]], "b": [["c"]]},
)
GROWN_AFTER_CODE = document(
    "grown_after_code",
    TRIGGER,
    *(code("d"), grow("a")),
    edges={"start": [["d"]], "d": [["a"]]},
)
CALLING = document(
    "calling",
    TRIGGER,
    grow("a"),
    node("call", "executeWorkflow", 1.2, workflowId="inline", mode="once"),
    edges={"start": [["a"]], "a": [["call"]]},
)


@pytest.fixture(autouse=True)
def small_messages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(codec, "MESSAGE_BYTES_MAX", MESSAGE)
    yield


async def ready(owner: Owner, *documents: dict[str, object]) -> None:
    """Store workflows and have the owner know them."""
    for each in documents:
        await owner.store(str(each["name"]), each)
        owner.shared.plans.want(content_hash(each), lambda _: None)
    await asyncio.sleep(1)


def request(execution: str, workflow: dict[str, object], text: str = LARGE) -> RunRequest:
    items: list[Item] = [{"json": {"text": text}}]
    made = RunRequest(
        execution, "main", str(workflow["name"]), content_hash(workflow), "", "webhook", items, 0
    )
    made.reply = ReplyTo("test", int(execution[1:]))
    return made


def run(owner: Owner, *requests: RunRequest) -> None:
    owner.append(names.runs("local", 0), RUNS.encode(list(requests)))


def answer_step(owner: Owner, execution: str, text: str) -> None:
    state = owner.partition.table.active[execution]
    outcome = Outcome([[{"json": {"text": text}}]])
    result = StepResult(execution, state.seq, state.attempt, outcome, "sim", 0, 1)
    owner.append(names.done("local", 0), RESULTS.encode([result]))


def test_a_turn_that_is_more_than_a_record_stands_in_several() -> None:
    async def test(owner: Owner) -> None:
        await ready(owner, ALL["inline"])

        run(owner, request("e1", ALL["inline"]))
        await asyncio.sleep(1)

        assert ends(owner) == {"e1": "success"}
        (reply,) = owner.replies
        assert json.loads(reply.body)["text"] == LARGE
        assert owner.lost == []

    owned(test)


def test_a_crash_between_any_two_of_its_records_leaves_an_execution_that_goes_on() -> None:
    async def test(owner: Owner) -> None:
        await ready(owner, ALL["inline"])
        for number in range(1, 4):
            execution = f"e{number}"
            before = len(owner.records())
            run(owner, request(execution, ALL["inline"]))
            for _ in range(100):
                if len(owner.records()) < before + number and execution not in ends(owner):
                    await asyncio.sleep(0)
            owner.kill()
            await owner.take_over()
            await asyncio.sleep(3)

        assert ends(owner) == dict.fromkeys(("e1", "e2", "e3"), "success")
        assert {reply.request for reply in owner.replies if reply.status == 200} == {1, 2, 3}

    owned(test)


def test_one_that_does_not_end_in_that_turn_sends_its_step_and_goes_on() -> None:
    async def test(owner: Owner) -> None:
        await ready(owner, THEN_CODE)

        run(owner, request("e1", THEN_CODE))
        await asyncio.sleep(1)
        answer_step(owner, "e1", "small")
        await asyncio.sleep(1)

        assert ends(owner) == {"e1": "success"}

    owned(test)


def test_a_large_result_goes_through_all_that_follows() -> None:
    async def test(owner: Owner) -> None:
        await ready(owner, AFTER_CODE)
        run(owner, request("e1", AFTER_CODE, "small"))
        await asyncio.sleep(1)

        answer_step(owner, "e1", LARGE)
        await asyncio.sleep(1)

        assert ends(owner) == {"e1": "success"}

    owned(test)


@pytest.mark.parametrize("workflow", [GROWING, CALLING], ids=lambda each: str(each["name"]))
def test_what_no_record_can_carry_fails_its_execution_and_no_other(
    workflow: dict[str, object],
) -> None:
    async def test(owner: Owner) -> None:
        await ready(owner, workflow, ALL["inline"])

        run(
            owner,
            *(request("e1", ALL["inline"], "small"), request("e2", workflow)),
            *(request("e3", ALL["inline"], "small"),),
        )
        await asyncio.sleep(1)
        assert len(owner.lost) == 1
        assert owner.lost[0].crash is None
        await owner.own_again()
        await asyncio.sleep(1)

        assert ends(owner) == {"e1": "success", "e2": "error", "e3": "success"}
        assert errors(owner) == {"e2": TOO_LARGE}
        assert {reply.request: reply.status for reply in owner.replies} == {1: 200, 2: 500, 3: 200}
        assert len(owner.lost) == 1

    owned(test)


def test_one_that_has_begun_before_fails_too_and_stays_ended() -> None:
    async def test(owner: Owner) -> None:
        await ready(owner, GROWN_AFTER_CODE)
        run(owner, request("e1", GROWN_AFTER_CODE, "small"))
        await asyncio.sleep(1)

        answer_step(owner, "e1", LARGE)
        await asyncio.sleep(1)
        await owner.own_again()
        await asyncio.sleep(1)
        assert errors(owner) == {"e1": TOO_LARGE}
        assert [reply.status for reply in owner.replies] == [500]

        owner.kill()
        await owner.take_over()
        await asyncio.sleep(1)
        assert not owner.partition.table.is_open("e1")

    owned(test)
