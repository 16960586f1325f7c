"""A small execution to resolve expressions in: three nodes in a row, two items each."""

from typing import Any

from penstock.subjects.messages import Source
from penstock.workflow.expressions import compile_value
from penstock.workflow.plan import Edge, Plan, PlanNode
from penstock.workflow.scope import ExecutionInfo, Run, Scope

NOW_MS = 1_742_049_045_123  # 2025-03-15T14:30:45.123Z


def node(index: int, name: str) -> PlanNode:
    """A node that does nothing."""
    return PlanNode(
        index=index,
        id=f"id-{index}",
        name=name,
        type="n8n-nodes-base.set",
        version=1,
        position=(0, 0),
        parameters={"field": "raw"},
        compiled={},
        tier="inline",
        kind=None,
    )


def items(*values: dict[str, Any]) -> list[dict[str, Any]]:
    """Items paired with the same position."""
    return [{"json": value, "pairedItem": {"item": i}} for i, value in enumerate(values)]


def make_scope(data: dict[str, Any] | None = None, **variables: Any) -> Scope:
    """`Start` and `Middle` have run; `Last` is about to, with `data` as its first item."""
    nodes = [node(index, name) for index, name in enumerate(("Start", "Middle", "Last", "Never"))]
    plan = Plan(
        hash="",
        name="Example",
        document={},
        nodes=nodes,
        by_name={each.name: each.index for each in nodes},
        children=[[[Edge(1, 0)]], [[Edge(2, 0)]], [], []],
        parents=[[], [[Edge(0, 0)]], [[Edge(1, 0)]], []],
        order="v1",
        timezone="America/New_York",
    )
    runs = {
        0: [Run(outputs=[items({"id": 1}, {"id": 2})], sources=[])],
        1: [Run(outputs=[items({"name": "a"}, {"name": "b"})], sources=[Source(0)])],
    }
    return Scope(
        plan=plan,
        node=nodes[2],
        inputs=[items(data if data is not None else {}, {"second": True})],
        sources=[Source(1)],
        runs=runs,
        run_index=0,
        now_ms=NOW_MS,
        execution=ExecutionInfo(id="7", mode="webhook", workflow_id="w"),
        variables=variables,
    )


def resolve(text: str, data: dict[str, Any] | None = None, item: int = 0) -> Any:
    """The value of a template (with its `=`)."""
    return compile_value(text).resolver(make_scope(data), item)


def resolve_in(scope: Scope, text: str) -> Any:
    """The value of a template in a scope that outlives it."""
    return compile_value(text).resolver(scope, 0)
