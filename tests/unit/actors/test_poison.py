"""Messages that cannot be handled go to DEAD, and harm nobody beside them.

A message is buried that cannot be decoded, or whose handling fails twice; its execution fails
with the reason, and its neighbours go on.
"""

import asyncio

import pytest

from penstock.actors.execution import core
from penstock.actors.inbox import RESULTS
from penstock.subjects import names
from penstock.subjects.messages import Outcome, StepResult
from tests.unit.actors.owner import Owner, ends, errors, owned


def test_inputs_that_cannot_be_decoded_go_to_dead_and_work_goes_on() -> None:
    async def test(owner: Owner) -> None:
        owner.append(names.runs("local", 0), b"\x01garbage")
        owner.append(names.signals("local", 0), b"")
        owner.append(names.done("local", 0), b"\x07")
        owner.run("e1", "inline")
        await asyncio.sleep(1)

        assert [letter.reason for letter in owner.dead()] == ["undecodable"] * 3
        assert ends(owner) == {"e1": "success"}
        owner.run("e2", "inline")
        await asyncio.sleep(1)
        assert owner.partition.inbox.advance() == owner.partition.inbox.received

    owned(test)


def test_a_poison_message_is_buried_after_its_second_try_and_neighbours_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = []
    on_result = core.on_result

    def poisoned(state: core.State, result: StepResult, now_ms: int) -> core.Turn:
        if result.execution == "bad":
            tries.append(state)
            state.stack.clear()
            raise RuntimeError("a bug")
        return on_result(state, result, now_ms)

    monkeypatch.setattr(core, "on_result", poisoned)

    async def test(owner: Owner) -> None:
        for execution in ("bad", "good"):
            owner.run(execution, "dispatched")
        await asyncio.sleep(1)
        results = [
            StepResult(execution, 1, 1, Outcome(outputs=[[{"json": {}}]]), "h", 0, 1)
            for execution in ("bad", "good")
        ]
        owner.append(names.done("local", 0), RESULTS.encode(results))
        await asyncio.sleep(2)

        assert len(tries) == 2
        assert tries[0] is not tries[1]
        assert ends(owner) == {"bad": "error"}
        assert "a bug" in errors(owner)["bad"]
        assert [(d.reason, d.execution) for d in owner.dead()] == [("poison", "bad")]
        assert owner.partition.table.active["good"].seq > 1

    owned(test)


def test_an_execution_whose_start_raises_fails_and_its_request_is_buried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = core.start

    def broken(state: core.State, now_ms: int) -> core.Turn:
        if state.info.id == "bad":
            raise RuntimeError("a bug")
        return start(state, now_ms)

    monkeypatch.setattr(core, "start", broken)

    async def test(owner: Owner) -> None:
        owner.run("bad", "inline")
        owner.run("good", "inline")
        await asyncio.sleep(1)

        assert ends(owner) == {"bad": "error", "good": "success"}
        assert [letter.reason for letter in owner.dead()] == ["poison"]

    owned(test)
