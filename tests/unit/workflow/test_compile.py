"""Plans: what is decided before a workflow runs."""

import pytest

from penstock.nodes.registry import REGISTRY
from penstock.workflow.compile import compile_document, expression_problems
from penstock.workflow.plan import OnError, Plan
from penstock.workflow.plan_cache import PlanCache
from penstock.workflow.validate import check
from tests.unit.engine.workflows import Types, document, node, plan_of


def test_edges_are_kept_both_ways() -> None:
    plan = plan_of([node("a"), node("b"), node("c")], "a.1 > c.2", "b > c")

    assert plan.children[0] == [[], [(2, 2)]]
    assert plan.parents[2] == [[(1, 0)], [], [(0, 1)]]
    assert plan.nodes[2].inputs == 3
    assert plan.ancestors[2] == {0, 1}


def test_an_expression_says_which_nodes_it_reads() -> None:
    plan = plan_of(
        [node("far"), node("near"), node("reader", x="={{ $('far').first().json.y }}")],
        "far > near",
        "near > reader",
    )

    assert plan.visible == [frozenset(), frozenset(), frozenset({0})]
    assert plan.kept == frozenset({0})


def test_an_expression_that_follows_lineage_reads_all_nodes_on_the_way() -> None:
    plan = plan_of(
        [node("far"), node("near"), node("reader", x="={{ $('far').item.json.y }}")],
        "far > near",
        "near > reader",
    )

    assert plan.visible[2] == frozenset({0, 1})


def test_settings_become_policies() -> None:
    plan = plan_of([node("a", onError="continueErrorOutput", retryOnFail=True, executeOnce=True)])

    made = plan.nodes[0]
    assert made.on_error is OnError.ERROR_OUTPUT
    assert made.retry is not None
    assert (made.retry.tries, made.retry.wait_ms) == (3, 1_000)
    assert made.execute_once


@pytest.mark.parametrize(
    ("kinds", "start"),
    [
        (["pass"], 0),
        (["pass", "trigger"], 1),
        (["n8n-nodes-base.executeWorkflowTrigger", "n8n-nodes-base.manualTrigger"], 1),
        (["pass", "pass"], -1),
    ],
)
def test_a_run_begins_where_n8n_begins_it(kinds: list[str], start: int) -> None:
    plan = plan_of([node(str(index), kind) for index, kind in enumerate(kinds)])

    assert plan.start == start


def test_unknown_types_are_recorded_but_not_those_of_disabled_nodes() -> None:
    plan = plan_of([node("a", "x.y"), node("b", "x.z", disabled=True)])

    assert plan.unknown_types == ("x.y",)


def test_an_expression_that_does_not_parse_is_told_with_its_place() -> None:
    made = node("a", x={"deep": ["={{ $json. }}"]})
    read, _ = check(document([made]))

    (problem,) = expression_problems(read, Types())

    assert problem.path.startswith("nodes[0].parameters.x")


def test_a_field_with_the_name_of_a_dangerous_member_is_no_problem_of_its_document() -> None:
    made = node("a", x="={{ $json.toolCalls[0].function.arguments.name }}")
    read, _ = check(document([made]))

    assert expression_problems(read, Types()) == []


def test_a_plan_is_compiled_once_and_the_oldest_goes_when_they_have_too_many_nodes() -> None:
    cache = PlanCache(REGISTRY, nodes_max=5)
    documents = [document([node(name) for name in names]) for names in ("ab", "cde", "f")]

    plans: list[Plan] = [cache.add(one) for one in documents]

    assert [cache.get(plan.hash) for plan in plans] == [None, *plans[1:]]
    assert cache.add(documents[1]) is plans[1]


def test_a_plan_that_is_larger_than_the_cache_is_held_alone() -> None:
    cache = PlanCache(REGISTRY, nodes_max=2)
    small, large = cache.add(document([node("a")])), cache.add(document([node(n) for n in "bcd"]))

    assert (cache.get(small.hash), cache.get(large.hash)) == (None, large)


def test_the_instances_time_zone_is_the_default() -> None:
    mine = compile_document({"nodes": []}, Types(), timezone="Europe/Berlin")
    own = compile_document({"nodes": [], "settings": {"timezone": "Asia/Tokyo"}}, Types())

    assert (mine.timezone, own.timezone) == ("Europe/Berlin", "Asia/Tokyo")
