"""Expressions that take long are none of a partition's business: a sandbox host runs their node."""

from penstock.actors.execution import core
from penstock.actors.execution.effects import Dispatch
from penstock.nodes.registry import REGISTRY
from penstock.subjects.messages import RunRequest
from penstock.workflow.compile import compile_document
from penstock.workflow.plan import Plan
from tests.simulation.workflows import TRIGGER, document, mark, node

NOW_MS = 1_700_000_000_000


def plan_of(expression: str) -> Plan:
    assigned = {"id": "1", "name": "n", "value": f"={{{{ {expression} }}}}", "type": "number"}
    heavy = node("heavy", "set", 3.4, assignments={"assignments": [assigned]}, options={})
    made = document(
        "heavy",
        *(TRIGGER, mark("before"), heavy, mark("after")),
        edges={"start": [["before"]], "before": [["heavy"]], "heavy": [["after"]]},
    )
    return compile_document(made, REGISTRY)


def begun(expression: str) -> tuple[core.State, core.Turn]:
    plan = plan_of(expression)
    state = core.new_state(plan, RunRequest("e1", "main", "w", plan.hash, "", "trigger", [], 0))
    return state, core.start(state, NOW_MS)


def test_a_node_whose_expression_takes_long_is_sent_to_a_host() -> None:
    state, turn = begun("[...Array(60000).keys()].map(n => n + 1).length")

    (sent,) = turn.effects
    assert isinstance(sent, Dispatch)
    assert (sent.tier, sent.step.node) == ("trusted", state.plan.by_name["heavy"])
    assert not turn.more


def test_it_is_sent_once_and_a_new_owner_sends_it_again() -> None:
    state, turn = begun("(() => { while (true) {} })()")
    assert len(turn.effects) == 1
    assert core.advance(state, NOW_MS).effects == []

    taken_over = core.load(state.plan, core.dump(state))
    again = core.advance(taken_over, NOW_MS)

    assert [type(effect) for effect in again.effects] == [Dispatch]


def test_a_node_whose_expression_is_quick_runs_where_it_is() -> None:
    state, turn = begun("[...Array(2000).keys()].map(n => n + 1).length")

    assert turn.effects == []
    assert state.status == "success"
