"""What compiling tells: constants, names that are read, what needs an engine; what it protects."""

import copy
from typing import Any

import pytest

from penstock.workflow.expressions import BudgetError, ExpressionError, compile_value
from tests.unit.expressions.scopes import items, make_scope

DATA: dict[str, Any] = {"list": [3, 1, 2], "o": {"x": 1}, "long": "a" * 40_000 + "b"}


def test_values_of_any_shape_are_compiled_and_constants_stay_what_they_are() -> None:
    constant = {"a": ["text", 1, None], "b": {}}
    mixed = compile_value({"a": ["={{ $json.o.x }}", "plain"], "b": 2})

    assert compile_value(constant).is_constant
    assert compile_value(constant).resolver(make_scope(), 0) is constant
    assert mixed.resolver(make_scope(DATA), 0) == {"a": [1, "plain"], "b": 2}


@pytest.mark.parametrize(
    ("text", "reads", "lineage"),
    [
        ("={{ $json.a }}", frozenset(), False),
        ("={{ $('A').item.json.x + $node['B'].json.y }}", frozenset({"A", "B"}), True),
        ("={{ $('A').first().json.x }}", frozenset({"A"}), False),
        ("={{ $items('C')[0].json }}", frozenset({"C"}), False),
        ("={{ $($json.name).first() }}", None, False),
    ],
)
def test_names_of_nodes_are_known_before_anything_runs(
    text: str, reads: frozenset[str] | None, lineage: bool
) -> None:
    compiled = compile_value(text)

    assert compiled.reads == reads
    assert compiled.reads_lineage is lineage


def test_what_is_not_covered_needs_an_engine_and_what_is_no_expression_is_a_problem() -> None:
    assert compile_value("={{ (class A {}).name }}").needs_engine
    assert compile_value({"deep": ["={{ 1 + }}"]}).problems == ["invalid syntax"]


@pytest.mark.parametrize(
    "code",
    [
        "$json.list.sort()",
        "$json.list.reverse()",
        "(() => { $json.o.x = 2; return $json.o.x })()",
        "(() => { const l = $json.list; l.push(4); return $json.list.length })()",
        "Object.assign($json.o, {y: 1})",
        "$input.all().map(i => { i.json.touched = true; return i })",
        "$input.first().json.list.splice(0, 1)",
        "delete $json.o",
    ],
)
def test_data_of_the_execution_is_never_changed(code: str) -> None:
    scope = make_scope(copy.deepcopy(DATA))
    before = copy.deepcopy(scope.inputs)

    compile_value(f"={{{{ {code} }}}}").resolver(scope, 0)

    assert scope.inputs == before


def test_an_expression_sees_its_own_changes() -> None:
    text = "={{ (() => { const l = $json.list; l.push(4); return $json.list })() }}"

    assert compile_value(text).resolver(make_scope(DATA), 0) == [3, 1, 2, 4]


@pytest.mark.parametrize(
    "code",
    [
        "(() => { while (true) {} return 1 })()",
        "(() => { let a = [1]; for (;;) a = a.concat(a) })()",
        "[...Array(2000).keys()].map(i => 'a'.repeat(1000000)).length",
        "numberList(1, 1e9)",
        "Array.from({length: 1e9})",
        "new Array(1e9).fill(0)",
        "/^(a+)+$/.test($json.long)",
    ],
)
def test_an_expression_without_measure_is_stopped(code: str) -> None:
    with pytest.raises(BudgetError):
        compile_value(f"={{{{ {code} }}}}").resolver(make_scope(DATA), 0)


def test_a_spent_budget_cannot_be_caught_by_the_expression() -> None:
    code = "(() => { try { for (;;) {} } catch (e) { return 1 } })()"

    with pytest.raises(BudgetError):
        compile_value(f"={{{{ {code} }}}}").resolver(make_scope(), 0)


def test_a_caller_can_bound_the_time() -> None:
    scope = make_scope()
    scope.expired = lambda: True

    with pytest.raises(BudgetError):
        compile_value("={{ numberList(1, 5000).map(x => x) }}").resolver(scope, 0)


def test_ambiguous_lineage_is_an_error_and_equal_paths_are_not() -> None:
    scope = make_scope()
    text = compile_value("={{ $('Start').item.json.id }}")
    middle = scope.runs[1][0].outputs[0]
    assert middle is not None

    middle[0]["pairedItem"] = [{"item": 1}, {"item": 1}]
    assert text.resolver(scope, 0) == 2

    middle[0]["pairedItem"] = [{"item": 0}, {"item": 1}]
    with pytest.raises(ExpressionError, match="Multiple matches found"):
        text.resolver(scope, 0)


def test_missing_lineage_names_the_node_that_lost_it() -> None:
    scope = make_scope()
    scope.runs[1][0].outputs[0] = [{"json": {}}]
    scope.inputs = [items({})]

    with pytest.raises(ExpressionError, match="Paired item data for item from node 'Middle'"):
        compile_value("={{ $('Start').item.json }}").resolver(scope, 0)
