"""What a node's settings make of its run."""

from typing import Any

import pytest

from penstock.actors.execution import core
from penstock.actors.execution.effects import SetTimer
from penstock.actors.execution.events import Tried
from tests.unit.engine.workflows import NOW_MS, begun, jsons, node, order_of, plan_of


def test_a_request_names_the_output_of_the_trigger() -> None:
    plan = plan_of([node("t", "trigger"), node("get"), node("post")], "t.0 > get", "t.1 > post")

    _, turn = begun(plan, {"x": 1}, output=1)

    assert order_of(plan, turn) == ["t", "post"]


def test_a_disabled_node_lets_its_input_through() -> None:
    plan = plan_of(
        [node("t", "trigger"), node("fails", "fails", disabled=True), node("after")],
        "t > fails",
        "fails > after",
    )

    state, turn = begun(plan, {"x": 1})

    assert order_of(plan, turn) == ["t", "fails", "after"]
    assert jsons(state.last_outputs[0]) == [{"x": 1}]


@pytest.mark.parametrize(("mode", "expected"), [("manual", "pinned"), ("trigger", "real")])
def test_pinned_data_replaces_a_node_in_manual_runs_only(mode: str, expected: str) -> None:
    plan = plan_of(
        [node("t", "trigger"), node("a", "emit", items=[{"is": "real"}])],
        "t > a",
        pinData={"a": [{"json": {"is": "pinned"}}]},
    )

    state, _ = begun(plan, mode=mode)

    assert jsons(state.last_outputs[0]) == [{"is": expected}]


def test_execute_once_shows_the_node_only_the_first_item() -> None:
    plan = plan_of([node("t", "trigger"), node("a", executeOnce=True)], "t > a")

    state, _ = begun(plan, {"x": 1}, {"x": 2})

    assert jsons(state.last_outputs[0]) == [{"x": 1}]


def test_always_output_data_puts_out_one_empty_item_of_all_inputs() -> None:
    plan = plan_of(
        [node("t", "trigger"), node("a", "emit", items=[], alwaysOutputData=True), node("b")],
        "t > a",
        "a > b",
    )

    state, turn = begun(plan, {"x": 1}, {"x": 2})

    assert order_of(plan, turn) == ["t", "a", "b"]
    assert state.last_outputs == [[{"json": {}, "pairedItem": {"item": 0}}]]


def test_a_failure_stops_the_execution() -> None:
    plan = plan_of(
        [node("t", "trigger"), node("a", "fails", message="no luck"), node("b")], "t > a", "a > b"
    )

    state, turn = begun(plan)

    assert order_of(plan, turn) == ["t", "a"]
    assert (state.status, state.last_node) == ("error", "a")
    assert state.error is not None
    assert (state.error.message, state.error.node) == ("no luck", "a")


def test_a_failure_goes_on_with_the_input_when_the_node_says_so() -> None:
    plan = plan_of(
        [node("t", "trigger"), node("a", "fails", onError="continueRegularOutput"), node("b")],
        "t > a",
        "a > b",
    )

    state, turn = begun(plan, {"x": 1})

    assert order_of(plan, turn) == ["t", "a", "b"]
    assert state.status == "success"
    assert jsons(state.last_outputs[0]) == [{"x": 1}]


def test_a_bug_in_a_node_is_an_error_of_that_execution() -> None:
    plan = plan_of([node("t", "trigger"), node("a", "fails", bug=True, message="x")], "t > a")

    state, _ = begun(plan)

    assert state.error is not None
    assert (state.error.name, state.error.message) == ("internal", "ZeroDivisionError: x")


def test_an_unknown_node_type_fails_when_it_is_reached() -> None:
    plan = plan_of([node("t", "trigger"), node("a", "nobody.knows")], "t > a")

    state, _ = begun(plan)

    assert plan.unknown_types == ("nobody.knows",)
    assert state.error is not None
    assert state.error.message == "Unrecognized node type: nobody.knows"


def test_items_that_tell_of_an_error_go_to_the_error_output_with_their_origin() -> None:
    items: list[dict[str, Any]] = [{"ok": 1}, {"error": "bad"}]
    plan = plan_of(
        [
            node("t", "trigger"),
            node("a", "emit", items=items, onError="continueErrorOutput"),
            node("good", y=0),
            node("bad", y=9),
        ],
        "t > a",
        "a.0 > good",
        "a.1 > bad",
    )

    state, turn = begun(plan, {"n": 1}, {"n": 2})

    assert order_of(plan, turn) == ["t", "a", "good", "bad"]
    assert jsons(state.last_outputs[0]) == [{"error": "bad"}]


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([{"n": 1}], [None]),
        ([{"n": 1}, {"n": 2}], [{"item": 0}, {"item": 1}]),
        ([{"n": 1}, {"n": 2}, {"n": 3}], [None, None, None]),
    ],
)
def test_lineage_is_filled_in_where_only_one_origin_is_possible(
    items: list[dict[str, Any]], expected: list[Any]
) -> None:
    plan = plan_of([node("t", "trigger"), node("a", "emit", items=items)], "t > a")

    state, _ = begun(plan, {}, {})

    assert [item.get("pairedItem") for item in state.last_outputs[0] or ()] == expected


def test_a_node_is_tried_again_after_its_wait_and_then_gives_up() -> None:
    plan = plan_of(
        [node("t", "trigger"), node("a", "fails", retryOnFail=True, waitBetweenTries=10)], "t > a"
    )

    state, turn = begun(plan)
    waits = 0
    while state.waiting == "retry":
        timer = turn.effects[-1]
        assert isinstance(turn.events[-1], Tried)
        assert isinstance(timer, SetTimer)
        assert timer.at_ms == NOW_MS + 10 * (waits + 1)
        turn = core.on_timer(state, timer.kind, timer.token, timer.at_ms)
        waits += 1

    assert waits == 2
    assert state.status == "error"


def test_tries_and_waits_are_clamped_as_n8n_clamps_them() -> None:
    plan = plan_of(
        [node("t", "trigger"), node("a", retryOnFail=True, maxTries=99, waitBetweenTries=99_999)]
    )

    retry = plan.nodes[1].retry

    assert retry is not None
    assert (retry.tries, retry.wait_ms) == (5, 5_000)
