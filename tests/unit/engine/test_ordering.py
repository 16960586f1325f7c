"""Which node runs next, in both execution orders."""

from tests.unit.engine.workflows import begun, jsons, node, order_of, plan_of


def test_the_top_most_branch_runs_to_its_end_before_the_next_in_v1() -> None:
    plan = plan_of(
        [
            node("t", "trigger"),
            node("low", y=200),
            node("low2", y=200),
            node("top", y=0),
            node("top2", y=0),
        ],
        "t > low",
        "t > top",
        "low > low2",
        "top > top2",
    )

    _, turn = begun(plan)

    assert order_of(plan, turn) == ["t", "top", "top2", "low", "low2"]


def test_branches_take_turns_in_the_documents_order_in_v0() -> None:
    plan = plan_of(
        [node("t", "trigger"), node("low", y=200), node("low2"), node("top"), node("top2")],
        "t > low",
        "t > top",
        "low > low2",
        "top > top2",
        order="v0",
    )

    _, turn = begun(plan)

    assert order_of(plan, turn) == ["t", "low", "top", "low2", "top2"]


def test_a_branch_without_items_ends() -> None:
    plan = plan_of(
        [node("t", "trigger"), node("gate", "gate", to=1), node("no"), node("yes")],
        "t > gate",
        "gate.0 > no",
        "gate.1 > yes",
    )

    _, turn = begun(plan)

    assert order_of(plan, turn) == ["t", "gate", "yes"]


def test_a_node_that_ends_its_branch_leaves_no_run() -> None:
    plan = plan_of(
        [node("t", "trigger"), node("end", "ends"), node("after")], "t > end", "end > after"
    )

    state, turn = begun(plan)

    assert order_of(plan, turn) == ["t"]
    assert state.status == "success"


def test_a_node_with_two_inputs_waits_until_both_have_arrived() -> None:
    plan = plan_of(
        [node("t", "trigger"), node("a", y=0), node("b", y=100), node("join", "join")],
        "t > a",
        "t > b",
        "a > join",
        "b > join.1",
    )

    state, turn = begun(plan, {"x": 1})

    assert order_of(plan, turn) == ["t", "a", "b", "join"]
    assert jsons(state.last_outputs[0]) == [{"x": 1}, {"x": 1}]
    assert [item["pairedItem"] for item in state.last_outputs[0] or ()] == [
        {"item": 0},
        {"item": 0, "input": 1},
    ]


def test_two_wires_into_one_input_make_two_runs() -> None:
    plan = plan_of(
        [node("t", "trigger"), node("a"), node("b", y=100), node("end", y=50)],
        "t > a",
        "t > b",
        "a > end",
        "b > end",
    )

    _, turn = begun(plan)

    assert order_of(plan, turn) == ["t", "a", "end", "b", "end"]


def test_a_waiting_node_is_released_with_what_it_has_when_nothing_else_is_left() -> None:
    plan = plan_of(
        [node("t", "trigger"), node("gate", "gate", to=0), node("join", "join")],
        "t > gate",
        "gate.0 > join",
        "gate.1 > join.1",
    )

    state, turn = begun(plan, {"x": 1})

    assert order_of(plan, turn) == ["t", "gate", "join"]
    assert jsons(state.last_outputs[0]) == [{"x": 1}]


def test_a_waiting_node_that_needs_both_inputs_never_runs_with_one() -> None:
    plan = plan_of(
        [node("t", "trigger"), node("gate", "gate"), node("join", "join", required=[0, 1])],
        "t > gate",
        "gate.0 > join",
        "gate.1 > join.1",
    )

    state, turn = begun(plan)

    assert order_of(plan, turn) == ["t", "gate"]
    assert state.status == "success"


def test_a_waiting_node_lets_the_waiting_nodes_above_it_go_first() -> None:
    plan = plan_of(
        [
            node("t", "trigger"),
            node("gate", "gate"),
            node("second", "join"),
            node("first", "join"),
            node("after", y=10),
        ],
        "t > gate",
        "gate.0 > second",
        "gate.0 > first",
        "gate.1 > first.1",
        "first > second.1",
        "second > after",
    )

    _, turn = begun(plan)

    assert order_of(plan, turn) == ["t", "gate", "first", "second", "after"]


def test_v0_forces_the_other_parents_of_a_waiting_node_to_run() -> None:
    plan = plan_of(
        [node("t", "trigger"), node("gate", "gate"), node("other"), node("join", "join")],
        "t > gate",
        "gate.0 > join",
        "gate.1 > other",
        "other > join.1",
        order="v0",
    )

    _, turn = begun(plan, {"x": 1})

    assert order_of(plan, turn) == ["t", "gate", "other", "join"]


def test_a_loop_keeps_its_context_and_ends() -> None:
    plan = plan_of(
        [node("t", "trigger"), node("loop", "counter", until=4), node("body"), node("done", y=-9)],
        "t > loop",
        "loop.0 > done",
        "loop.1 > body",
        "body > loop",
    )

    state, turn = begun(plan, {"x": 1})

    assert order_of(plan, turn) == ["t", *["loop", "body"] * 3, "loop", "done"]
    assert state.contexts == {1: {"count": 4}}


def test_a_long_loop_gives_the_turn_back_now_and_then() -> None:
    from penstock.actors.execution import core

    plan = plan_of(
        [node("t", "trigger"), node("loop", "counter", until=500), node("done")],
        "t > loop",
        "loop.0 > done",
        "loop.1 > loop",
    )

    state, turn = begun(plan)
    turns = 1
    while turn.more:
        turn = core.advance(state, 1)
        turns += 1

    assert turns > 2
    assert state.counts == [1, 500, 1]
