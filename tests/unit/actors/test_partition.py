"""What an owner does with messages, good and bad, and what a new owner finds."""

import asyncio
import json
from typing import Any

import pytest

from penstock.actors.execution import core
from penstock.actors.execution.events import Finished, Started
from penstock.actors.inbox import RESULTS
from penstock.actors.journal import RUNS, Happened, Held
from penstock.actors.sleepers import PASSIVATE_AFTER_S
from penstock.actors.snapshot import SnapshotStore
from penstock.actors.takeover import Takeover
from penstock.subjects import asks, names
from penstock.subjects.errors import WrongLastSequenceError
from penstock.subjects.messages import (
    Cancel,
    Item,
    Outcome,
    ReplyTo,
    Resume,
    RunRequest,
    StepResult,
    TenantLimits,
)
from penstock.workflow.document import content_hash
from tests.simulation.workflows import ALL, TRIGGER, document, mark, node
from tests.unit.actors.owner import Owner, owned


def ends(owner: Owner) -> dict[str, str]:
    """The status of every execution that ended."""
    return {
        entry.execution: entry.events[-1].status
        for entry in owner.journal()
        if isinstance(entry, Happened) and isinstance(entry.events[-1], Finished)
    }


def errors(owner: Owner) -> dict[str, str]:
    """The message of every execution's error."""
    return {
        entry.execution: event.error.message
        for entry in owner.journal()
        if isinstance(entry, Happened)
        for event in entry.events
        if isinstance(event, Finished) and event.error is not None
    }


def test_a_request_is_run_and_answered_after_its_record_is_stored() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "inline")
        await asyncio.sleep(1)

        assert ends(owner) == {"e1": "success"}
        assert [reply.execution for reply in owner.replies] == ["e1"]
        assert b'"c":"yes"' in owner.replies[0].body

    owned(test)


def test_a_request_that_comes_twice_is_run_once() -> None:
    async def test(owner: Owner) -> None:
        for _ in range(2):
            owner.run("e1", "inline")
            owner.run("e2", "dispatched")
            await asyncio.sleep(1)
        owner.kill()
        await owner.take_over()
        owner.run("e1", "inline")
        await asyncio.sleep(1)

        started = [
            entry.execution
            for entry in owner.journal()
            if isinstance(entry, Happened) and isinstance(entry.events[0], Started)
        ]
        assert started == ["e1", "e2"]

    owned(test)


def test_an_unknown_version_fails_its_execution_with_a_clear_error() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "inline", plan="0" * 40)
        owner.run("e2", "inline")
        await asyncio.sleep(1)

        assert ends(owner) == {"e1": "error", "e2": "success"}
        assert "does not exist" in errors(owner)["e1"]
        assert {reply.status for reply in owner.replies if reply.execution == "e1"} == {500}

    owned(test)


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


def test_an_answer_that_no_message_could_hold_is_an_error_and_stops_nobody() -> None:
    async def test(owner: Owner) -> None:
        items: list[Item] = [{"json": {"text": "\x01" * 7_000_000}}]  # six times that in JSON
        plan = content_hash(ALL["inline"])
        request = RunRequest("e1", "main", "inline", plan, "", "webhook", items, 0)
        request.reply = ReplyTo("test", 1)
        owner.append(names.runs("local", 0), RUNS.encode([request]))
        owner.run("e2", "inline")
        await asyncio.sleep(2)

        assert ends(owner) == {"e1": "success", "e2": "success"}
        answers = {reply.execution: reply for reply in owner.replies}
        assert (answers["e1"].status, answers["e2"].status) == (500, 200)
        assert b"too large" in answers["e1"].body
        assert owner.lost == []

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


def test_long_waits_are_put_away_and_wake_up_after_a_takeover() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "waiting")
        owner.run("e2", "called")
        await asyncio.sleep(PASSIVATE_AFTER_S + 3)
        assert set(owner.partition.table.kept) == {"e1", "e2"}
        assert not owner.partition.table.active

        await owner.partition.release()
        await owner.take_over()
        assert set(owner.partition.table.kept) == {"e1", "e2"}
        await asyncio.sleep(20)

        assert ends(owner) == {"e1": "success"}

    owned(test)


def test_a_full_stream_is_waited_out_in_place() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "inline")
        owner.broker.faults.full_streams.add("EXEC")
        await asyncio.sleep(5)
        assert "maximum" in owner.partition.committer.waiting_reason
        assert ends(owner) == {}

        owner.broker.faults.full_streams.clear()
        await asyncio.sleep(5)

        assert ends(owner) == {"e1": "success"}
        assert owner.lost == []

    owned(test)


def test_a_former_owner_is_fenced_at_its_first_write() -> None:
    async def test(owner: Owner) -> None:
        former = owner.partition
        await owner.take_over()
        owner.run("e1", "inline")
        await asyncio.sleep(3)

        assert owner.lost == [former]
        assert not former.is_live
        assert ends(owner) == {"e1": "success"}

    owned(test)


def test_a_lost_reply_can_be_asked_for_also_of_the_next_owner() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "inline")
        await asyncio.sleep(1)
        owner.kill()
        await owner.take_over()
        await asyncio.sleep(0.1)
        assert [reply.execution for reply in owner.replies] == ["e1", "e1"]

        question = asks.ask_reply.encode(asks.AskReply("e1"))
        frame = await owner.bus.request("ask.local.0.reply", question)

        reply = asks.reply_answer.decode(frame).reply
        assert reply is not None
        assert reply.body == owner.replies[0].body

    owned(test)


def test_an_answer_whose_record_is_not_stored_yet_does_not_pass_for_lost() -> None:
    async def test(owner: Owner) -> None:
        question = asks.ask_reply.encode(asks.AskReply("e1"))
        owner.run("e1", "inline")
        owner.broker.faults.stalled_streams.add("EXEC")
        await asyncio.sleep(0.5)

        frame = await owner.bus.request("ask.local.0.reply", question)
        during = asks.reply_answer.decode(frame)
        owner.broker.faults.stalled_streams.clear()
        await asyncio.sleep(10)

        assert (during.reply, during.up_to) == (None, 0)
        assert [reply.execution for reply in owner.replies] == ["e1"]

    owned(test)


async def state_of(owner: Owner, execution: str) -> Any:
    question = asks.ask_state.encode(asks.AskState(execution))
    answer = asks.state_answer.decode(await owner.bus.request("ask.local.0.state", question))
    return answer.view


def test_the_live_state_says_what_an_execution_waits_for() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "waiting")
        owner.run("e2", "called")
        owner.run("e3", "dispatched")
        await asyncio.sleep(1)

        views = [await state_of(owner, execution) for execution in ("e1", "e2", "e3", "e4")]

        assert [view and (view.status, view.waiting_for) for view in views] == [
            ("waiting", "timer"),
            ("waiting", "signal"),
            ("running", "step"),
            None,
        ]
        await asyncio.sleep(PASSIVATE_AFTER_S + 2)
        view = await state_of(owner, "e1")
        assert (view.status, view.waiting_for) == ("waiting", "timer")

    owned(test)


def test_a_step_that_no_host_can_take_says_so() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "dispatched")
        await asyncio.sleep(1)
        assert (await state_of(owner, "e1")).waiting_for == "step"
        await asyncio.sleep(10)
        assert (await state_of(owner, "e1")).waiting_for == "no-host"

    owned(test)


def test_steps_beyond_a_tenants_rate_wait_for_tokens_and_say_so() -> None:
    async def test(owner: Owner) -> None:
        owner.signal(TenantLimits("main", steps_per_s=0.5, steps_burst=2))
        await asyncio.sleep(1)
        owner.run("e0", "inline")
        await asyncio.sleep(6)
        for number in range(4):
            owner.run(f"e{number + 1}", "dispatched")
        await asyncio.sleep(0.5)
        assert len(owner.partition.dispatcher) == 2
        waiting = [(await state_of(owner, f"e{n}")).waiting_for for n in range(1, 5)]
        assert waiting.count("rate") == 2

        await asyncio.sleep(5)
        assert len(owner.partition.dispatcher) == 4

    owned(test)


def test_executions_that_too_many_wait_before_are_refused_with_429() -> None:
    async def test(owner: Owner) -> None:
        owner.signal(TenantLimits("main", concurrency=1, waiting=2))
        await asyncio.sleep(1)
        owner.run("e0", "inline")  # with it the partition learns of the limit
        await asyncio.sleep(1)
        for number in range(1, 6):
            owner.run(f"e{number}", "called")
            await asyncio.sleep(1)

        assert set(owner.partition.table.active) == {"e1"}
        assert set(owner.partition.table.held) == {"e2", "e3"}
        assert (ends(owner)["e4"], ends(owner)["e5"]) == ("error", "error")
        refused = {reply.execution: reply for reply in owner.replies if reply.execution != "e0"}
        assert {(one.status, one.headers["retry-after"]) for one in refused.values()} == {
            (429, "1")
        }

        owner.signal(Cancel("e1"))
        await asyncio.sleep(3)
        owner.run("e6", "called")
        await asyncio.sleep(1)
        assert set(owner.partition.table.held) == {"e3", "e6"}

    owned(test)


def test_executions_that_are_cancelled_while_they_wait_make_room_for_others_to_wait() -> None:
    async def test(owner: Owner) -> None:
        owner.signal(TenantLimits("main", concurrency=1, waiting=2))
        await asyncio.sleep(1)
        owner.run("e0", "inline")  # with it the partition learns of the limit
        await asyncio.sleep(1)
        for number in (1, 2, 3):
            owner.run(f"e{number}", "called")
            await asyncio.sleep(1)
        assert set(owner.partition.table.held) == {"e2", "e3"}
        owner.signal(Cancel("e2"), Cancel("e3"))
        await asyncio.sleep(1)

        owner.run("e4", "called")
        owner.run("e5", "called")
        await asyncio.sleep(1)

        assert set(owner.partition.table.held) == {"e4", "e5"}

    owned(test)


def test_executions_over_the_concurrency_limit_are_held_and_start_when_one_ends() -> None:
    async def test(owner: Owner) -> None:
        owner.signal(TenantLimits("main", concurrency=1))
        await asyncio.sleep(1)
        owner.run("e0", "inline")  # with it the partition learns of the limit
        await asyncio.sleep(1)
        for execution in ("e1", "e2", "e3"):
            owner.run(execution, "called")
        await asyncio.sleep(3)
        assert set(owner.partition.table.active) == {"e1"}
        assert (await state_of(owner, "e2")).waiting_for == "concurrency"

        owner.kill()
        await owner.take_over()
        owner.signal(Cancel("e1"))
        await asyncio.sleep(3)
        assert set(owner.partition.table.active) == {"e2"}

        owner.signal(Cancel("e3"), Resume("e2", []))
        owner.signal(TenantLimits("main"))
        await asyncio.sleep(8)
        assert ends(owner)["e3"] == "canceled"
        assert not owner.partition.table.held

    owned(test)


def test_a_child_with_a_document_of_its_own_runs_and_returns() -> None:
    child = document("child", TRIGGER, mark("in child"), edges={"start": [["in child"]]})
    call = node(
        "call",
        "executeWorkflow",
        1.2,
        source="parameter",
        workflowJson=json.dumps(child),
        options={},
    )
    parent = document(
        "parent", TRIGGER, call, mark("after"), edges={"start": [["call"]], "call": [["after"]]}
    )

    async def test(owner: Owner) -> None:
        await owner.store("parent", parent)
        owner.run("e1", "parent", plan=content_hash(parent))
        await asyncio.sleep(2)

        assert ends(owner) == {"e1-1": "success", "e1": "success"}
        assert b'"in child":"yes"' in owner.replies[0].body

    owned(test)


def test_a_missing_child_workflow_is_the_callers_error() -> None:
    call = node(
        "call",
        "executeWorkflow",
        1.2,
        workflowId={"__rl": True, "mode": "id", "value": "nowhere"},
        options={},
    )
    parent = document("parent", TRIGGER, call, edges={"start": [["call"]]})

    async def test(owner: Owner) -> None:
        await owner.store("parent", parent)
        owner.run("e1", "parent", plan=content_hash(parent))
        await asyncio.sleep(2)

        assert "nowhere" in errors(owner)["e1"]

    owned(test)


def test_a_failed_execution_starts_its_error_workflow_once() -> None:
    failing = document(
        "failing",
        TRIGGER,
        node("stop", "stopAndError", 1, errorMessage="on purpose"),
        edges={"start": [["stop"]]},
    )
    failing["settings"]["errorWorkflow"] = "handler"
    handler = document(
        "handler", node("on error", "errorTrigger"), mark("b"), edges={"on error": [["b"]]}
    )

    async def test(owner: Owner) -> None:
        await owner.store("failing", failing)
        await owner.store("handler", handler)
        await asyncio.sleep(1)
        owner.run("e1", "failing", plan=content_hash(failing))
        await asyncio.sleep(2)

        assert ends(owner) == {"e1": "error", "e1-error": "success"}

    owned(test)


def test_history_and_snapshot_together_allow_the_journal_to_be_trimmed() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "called")
        for number in range(20):
            owner.run(f"x{number}", "inline")
        await asyncio.sleep(1)
        await owner.bus.bucket("marks").put("history.local.0", b"1000")
        await asyncio.sleep(1)
        await owner.partition.release()

        left = owner.broker.stream("EXEC").since(1, "exec.local.0.>")
        assert [each.message.subject for each in left] == ["exec.local.0.journal"]
        await owner.take_over()
        owner.signal(Resume("e1", [{"json": {}}]))
        await asyncio.sleep(1)
        assert owner.partition.table.active["e1"].waiting == "step"

    owned(test)


def test_without_a_history_nothing_is_trimmed() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "inline")
        await asyncio.sleep(1)
        await owner.partition.release()

        assert len(owner.broker.stream("EXEC").since(1, "exec.local.0.in.run")) == 1

    owned(test)


def test_a_request_is_held_only_while_its_plan_is_loading() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "inline")
        await asyncio.sleep(1)
        owner.run("e2", "inline")
        await asyncio.sleep(1)

        held = [entry.execution for entry in owner.journal() if isinstance(entry, Held)]
        assert held == ["e1"]

    owned(test)


def test_a_crash_of_the_loop_gives_the_partition_up_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(owner: Owner) -> None:
        crashed = owner.partition
        with monkeypatch.context() as broken:
            broken.setattr(crashed.turns, "handle", lambda envelope: 1 / 0)
            owner.run("e1", "inline")
            await asyncio.sleep(1)
        assert owner.lost == [crashed]
        assert isinstance(crashed.crash, ZeroDivisionError)

        await owner.take_over()
        await asyncio.sleep(1)

        assert ends(owner) == {"e1": "success"}

    owned(test)


def test_who_was_overtaken_while_taking_over_does_not_take_trimmed_inputs_for_damage() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "called")
        await asyncio.sleep(1)
        slow = Takeover(owner.bus, "local", 0)
        opened = await slow.open_epoch("slow", owner.clock.now_ms())
        owner.kill()
        store = SnapshotStore(owner.bus, "local", 0)
        await owner.bus.purge("EXEC", names.runs("local", 0))
        with pytest.raises(AssertionError, match="is gone"):
            await slow.replay_opened(store, opened)

        await Takeover(owner.bus, "local", 0).open_epoch("quick", owner.clock.now_ms())

        with pytest.raises(WrongLastSequenceError):
            await slow.replay_opened(store, opened)

    owned(test)
