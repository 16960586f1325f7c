"""Steps elsewhere, sleeps, signals, children: everything an execution waits for."""

from typing import Any

from penstock.actors.execution import core
from penstock.actors.execution.effects import (
    Answer,
    CancelChild,
    Dispatch,
    ReturnToParent,
    SetTimer,
    StartChild,
    StartErrorWorkflow,
)
from penstock.actors.execution.state import State
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Cancel, Outcome, ReplyTo, Resume, StepResult
from tests.unit.engine.workflows import NOW_MS, begun, jsons, node, order_of, plan_of, request


def result_of(state: State, *items: dict[str, Any], error: str = "") -> StepResult:
    outcome = (
        Outcome(outputs=None, error=ErrorInfo(message=error))
        if error
        else Outcome(outputs=[[{"json": json} for json in items]])
    )
    return StepResult(
        execution=state.info.id,
        seq=state.seq,
        attempt=state.attempt,
        outcome=outcome,
        host="h",
        started_ms=NOW_MS,
        took_us=5,
    )


def remote_plan(**settings: Any) -> Any:
    nodes = [node("t", "trigger"), node("far", "remote", **settings), node("b")]
    return plan_of(nodes, "t > far", "far > b")


def test_the_address_that_resumes_is_made_when_somebody_looks_and_stays_what_it_was() -> None:
    made: list[str] = []

    def signed(execution: str) -> str:
        made.append(execution)
        return f"https://example.org/{execution}?signature={len(made)}"

    plan = remote_plan()
    state = core.new_state(plan, request({"x": 1}), signed)
    assert made == []

    turn = core.start(state, NOW_MS)
    turn = core.advance(state, NOW_MS) if turn.more else turn
    again = core.load(plan, core.dump(state))

    (sent,) = [effect.step for effect in turn.effects if isinstance(effect, Dispatch)]
    assert sent.resume_url == again.info.resume_url == f"https://example.org/{made[0]}?signature=1"
    assert made == [state.info.id]


def test_a_node_of_another_tier_is_dispatched_once_and_its_result_goes_on() -> None:
    state, turn = begun(remote_plan(), {"x": 1})

    (dispatch,) = turn.effects
    assert isinstance(dispatch, Dispatch)
    assert (dispatch.tier, dispatch.step.node, dispatch.step.seq) == ("trusted", 1, 1)
    assert jsons(dispatch.step.inputs[0]) == [{"x": 1}]
    assert state.waiting == "step"
    assert core.advance(state, NOW_MS).effects == []
    assert core.outstanding(state, NOW_MS) == [dispatch]

    core.on_result(state, result_of(state, {"y": 2}), NOW_MS)

    assert state.status == "success"
    assert jsons(state.last_outputs[0]) == [{"y": 2}]


def test_a_result_counts_only_for_the_step_that_is_outstanding() -> None:
    state, _ = begun(remote_plan())
    first = result_of(state, {"y": 1})

    core.on_result(state, first, NOW_MS)
    again = core.on_result(state, first, NOW_MS)

    assert (again.events, again.effects) == ([], [])


def test_a_failed_step_is_sent_again_with_the_next_attempt() -> None:
    state, _ = begun(remote_plan(retryOnFail=True))
    late = result_of(state, {"y": 1})

    failed = core.on_result(state, result_of(state, error="down"), NOW_MS)
    timer = failed.effects[0]
    assert isinstance(timer, SetTimer)
    assert core.on_result(state, late, NOW_MS).events == []
    turn = core.on_timer(state, "retry", timer.token, timer.at_ms)

    (dispatch,) = turn.effects
    assert isinstance(dispatch, Dispatch)
    assert dispatch.step.attempt == 2


def test_a_sleep_ends_with_its_own_timer_and_lets_the_input_through() -> None:
    plan = plan_of(
        [node("t", "trigger"), node("zzz", "sleeper", ms=500), node("b")], "t > zzz", "zzz > b"
    )

    state, turn = begun(plan, {"x": 1})
    (timer,) = turn.effects
    assert isinstance(timer, SetTimer)
    assert (timer.at_ms, timer.kind) == (NOW_MS + 500, "wait")
    assert core.outstanding(state, NOW_MS) == [timer]
    assert state.waiting == "timer"
    assert core.on_timer(state, "wait", timer.token + 1, NOW_MS).events == []

    turn = core.on_timer(state, "wait", timer.token, NOW_MS + 500)

    assert order_of(plan, turn) == ["zzz", "b"]
    assert jsons(state.last_outputs[0]) == [{"x": 1}]


def test_a_call_resumes_an_execution_that_waits_for_it_with_its_items() -> None:
    webhook = {"method": "POST", "suffix": "ok", "responseMode": "lastNode"}
    plan = plan_of([node("t", "trigger"), node("z", "sleeper", ms=-1, webhook=webhook)], "t > z")
    state, turn = begun(plan, {"x": 1})
    assert (turn.effects, state.waiting) == ([], "signal")

    items = [{"json": {"body": 1}}]
    wrong = core.on_signal(state, Resume("0abc", items, "no", "POST", ReplyTo("gw", 1)), NOW_MS)
    right = core.on_signal(state, Resume("0abc", items, "ok", "POST", ReplyTo("gw", 2)), NOW_MS)

    assert wrong.events == []
    assert isinstance(wrong.effects[0], Answer)
    assert wrong.effects[0].response.status == 404
    assert state.status == "success"
    (answer,) = right.effects
    assert isinstance(answer, Answer)
    assert (answer.to.request, answer.response.body) == (2, b'{"body":1}')


def test_a_cancelled_execution_ends_and_ignores_what_comes_later() -> None:
    state, _ = begun(remote_plan())
    result = result_of(state, {"y": 1})

    core.on_signal(state, Cancel("0abc"), NOW_MS)

    assert state.status == "canceled"
    assert core.on_result(state, result, NOW_MS).events == []
    assert core.on_signal(state, Cancel("0abc"), NOW_MS).events == []


def test_an_execution_that_takes_too_long_is_cancelled() -> None:
    nodes = [node("t", "trigger"), node("far", "remote")]
    plan = plan_of(nodes, "t > far", settings={"executionTimeout": 2})

    state, turn = begun(plan)
    timer = turn.effects[0]
    assert timer == SetTimer(NOW_MS + 2_000, "timeout", 0)
    core.on_timer(state, "timeout", 0, NOW_MS + 2_000)

    assert state.status == "canceled"


def caller_plan(**settings: Any) -> Any:
    return plan_of(
        [node("t", "trigger"), node("call", "caller", **settings), node("b")],
        "t > call",
        "call > b",
    )


def test_children_run_one_after_another_and_their_items_point_at_their_inputs() -> None:
    state, turn = begun(caller_plan(each=True), {"x": 1}, {"x": 2})
    (first,) = turn.effects
    assert isinstance(first, StartChild)
    assert (first.child, jsons(first.items), state.waiting) == ("0abc-1", [{"x": 1}], "call")
    assert core.outstanding(state, NOW_MS) == [first]

    turn = core.on_return(state, "0abc-1", [[{"json": {"y": 1}}]], None, NOW_MS)
    (second,) = turn.effects
    assert isinstance(second, StartChild)
    assert core.on_return(state, "0abc-1", [], None, NOW_MS).events == []
    core.on_return(state, "0abc-2", [[{"json": {"y": 2}}, {"json": {"y": 3}}]], None, NOW_MS)

    assert state.status == "success"
    assert state.runs == {}
    assert jsons(state.last_outputs[0]) == [{"y": 1}, {"y": 2}, {"y": 3}]


def test_a_childs_error_is_its_callers_error() -> None:
    state, _ = begun(caller_plan(), {"x": 1})

    core.on_return(state, "0abc-1", None, ErrorInfo(message="deep down"), NOW_MS)

    assert state.error is not None
    assert (state.error.message, state.error.node) == ("deep down", "call")


def test_a_caller_that_continues_on_error_goes_on_with_the_error_as_an_item() -> None:
    state, _ = begun(caller_plan(onError="continueRegularOutput"), {"x": 1})

    core.on_return(state, "0abc-1", None, ErrorInfo(message="deep down"), NOW_MS)

    assert state.status == "success"
    assert jsons(state.last_outputs[0]) == [{"error": "deep down"}]


def test_children_that_nobody_waits_for_are_started_and_the_input_goes_on() -> None:
    state, turn = begun(caller_plan(wait=False), {"x": 1})

    (child,) = turn.effects
    assert isinstance(child, StartChild)
    assert not child.must_return
    assert state.status == "success"


def test_a_caller_that_is_stopped_stops_the_child_it_waits_for_and_no_other() -> None:
    waiting, _ = begun(caller_plan(each=True), {"x": 1}, {"x": 2})
    core.on_return(waiting, "0abc-1", [[{"json": {"y": 1}}]], None, NOW_MS)
    done, _ = begun(remote_plan())

    assert core.on_signal(waiting, Cancel("0abc"), NOW_MS).effects == [CancelChild("0abc-2")]
    assert core.on_signal(done, Cancel("0abc"), NOW_MS).effects == []


def test_a_child_returns_what_its_last_node_put_out() -> None:
    plan = plan_of([node("t", "trigger"), node("b", "emit", items=[{"y": 1}])], "t > b")

    _, turn = begun(plan, execution="0abc-1", parent="0abc", mode="integrated")

    (back,) = turn.effects
    assert isinstance(back, ReturnToParent)
    assert (back.parent, back.child, back.error) == ("0abc", "0abc-1", None)
    assert back.outputs is not None
    assert jsons(back.outputs[0]) == [{"y": 1}]


def test_calls_that_nest_without_end_fail_instead() -> None:
    deep = "0abc" + "-1" * 29

    state, _ = begun(caller_plan(), execution=deep + "-1")

    assert state.error is not None
    assert state.error.message == "Workflows call each other too deep"


def test_a_failure_starts_the_error_workflow_but_not_in_manual_runs() -> None:
    nodes = [node("t", "trigger"), node("a", "fails", message="no luck")]
    plan = plan_of(nodes, "t > a", settings={"errorWorkflow": "watcher"}, name="mine")

    _, turn = begun(plan)
    _, manual = begun(plan, mode="manual")

    (told,) = turn.effects
    assert isinstance(told, StartErrorWorkflow)
    assert told.workflow == "watcher"
    execution = told.item["json"]["execution"]
    assert execution["error"]["message"] == "no luck"
    assert execution["url"].endswith(f"/api/v1/executions/{execution['id']}")
    assert told.item["json"]["workflow"] == {"id": "wf", "name": "mine"}
    assert manual.effects == []


def test_a_workflow_with_an_error_trigger_is_told_of_its_own_failures_once() -> None:
    nodes = [
        node("t", "trigger"),
        node("a", "fails"),
        node("e", "n8n-nodes-base.errorTrigger"),
        node("f", "fails"),
    ]
    plan = plan_of(nodes, "t > a", "e > f")

    _, turn = begun(plan)
    _, from_error = begun(plan, mode="error", start="e")

    assert [effect for effect in turn.effects if isinstance(effect, StartErrorWorkflow)]
    assert from_error.effects == []
