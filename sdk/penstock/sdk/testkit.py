"""The test kit of node authors: run one node on some items, without an engine.

    outcome = testkit.run(Limit, {"maxItems": 2}, [{"n": 1}, {"n": 2}, {"n": 3}])
    assert testkit.jsons(outcome) == [[{"n": 1}, {"n": 2}]]

What runs is the real thing: the parameters are compiled, the node's settings (`onError`, …) hold,
lineage is filled in. What the node asks of the engine (to wait, to respond, to call) is found in
the outcome's effects. There is no sandbox: nodes that run user code need a host.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.sdk.node import Node
from penstock.sdk.pairing import paired_input
from penstock.sdk.runner import run_node, run_node_async
from penstock.subjects.messages import Item, Outcome, Outputs, Source
from penstock.workflow.compile import compile_document
from penstock.workflow.plan import Plan
from penstock.workflow.scope import ExecutionInfo, Run, Scope

SOURCE, UNDER_TEST = "Source", "Node"
NOW_MS = 1_742_049_045_123
"""15 March 2025, 14:30:45.123 UTC: the time at which nodes run unless a test says otherwise."""


class _Types:
    """A registry of the one node under test; the source it reads from has no type at all."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def get(self, type_name: str, version: float) -> Node | None:
        serves = type_name == self._node.type and version in self._node.versions
        return self._node if serves else None


def run(
    node: type[Node],
    parameters: Mapping[str, Any],
    items: Sequence[Mapping[str, Any]] = ({},),
    *,
    version: float | None = None,
    **settings: Any,
) -> Outcome:
    """What a run of `node` with these parameters comes to.

    `items` are the JSON of the input's items, or whole items. `version` is the newest by default.
    Settings: `inputs` (items of all inputs, in place of `items`), `context` (the loop context that
    an earlier run left), `history` (items of earlier runs of the node before it), `now_ms`,
    `timezone`, `mode`, `static` (the workflow's static data), and any setting of a node
    (`onError`, …).
    """
    scope = scope_of(node, parameters, items, version=version, **settings)
    if scope.node.tier == "trusted":
        return asyncio.run(run_node_async(scope, settings.get("services")))
    return run_node(scope)


def scope_of(
    node: type[Node],
    parameters: Mapping[str, Any],
    items: Sequence[Mapping[str, Any]] = ({},),
    *,
    version: float | None = None,
    **settings: Any,
) -> Scope:
    """The scope in which `run` runs the node."""
    plan = _plan(node, parameters, version or max(node.versions), settings)
    raw = settings.get("inputs", [items])
    inputs = [
        None if one is None else paired_input([as_item(item) for item in one], number)
        for number, one in enumerate(raw)
    ]
    history = [[as_item(item) for item in one] for one in settings.get("history", ())]
    source = Source(plan.by_name[SOURCE], 0, len(history))
    earlier: list[Outputs] = [[items] for items in history]
    return Scope(
        plan=plan,
        node=plan.nodes[plan.by_name[UNDER_TEST]],
        inputs=inputs,
        sources=[None if one is None else source for one in inputs],
        runs={source.node: [Run(list(outputs), []) for outputs in (*earlier, inputs)]},
        run_index=int(settings.get("run_index", 0)),
        now_ms=int(settings.get("now_ms", NOW_MS)),
        execution=ExecutionInfo(id="1", mode=str(settings.get("mode", "trigger"))),
        contexts={plan.by_name[UNDER_TEST]: settings["context"]} if "context" in settings else {},
        static=settings.get("static"),
    )


_OWN = frozenset(
    {
        "inputs",
        "context",
        "history",
        "now_ms",
        "timezone",
        "mode",
        "run_index",
        "services",
        "static",
    }
)


def _plan(
    node: type[Node], parameters: Mapping[str, Any], version: float, settings: Mapping[str, Any]
) -> Plan:
    entry = {"name": UNDER_TEST, "type": node.type, "typeVersion": version}
    entry |= {name: value for name, value in settings.items() if name not in _OWN}
    wire = [{"node": UNDER_TEST, "type": "main", "index": 0}]
    document = {
        "nodes": [{"name": SOURCE, "type": "source"}, {**entry, "parameters": dict(parameters)}],
        "connections": {SOURCE: {"main": [wire]}},
        "settings": {"timezone": settings.get("timezone", "UTC")},
    }
    return compile_document(document, _Types(node()))


def as_item(value: Mapping[str, Any]) -> Item:
    """An item of a test: its JSON alone, or the item as it is."""
    is_item = isinstance(value.get("json"), dict) and value.keys() <= {
        "json",
        "binary",
        "pairedItem",
    }
    return dict(value) if is_item else {"json": dict(value)}


def jsons(outcome: Outcome) -> list[list[dict[str, Any]]]:
    """The JSON of the items of each output."""
    return [[item["json"] for item in items or ()] for items in outcome.outputs or ()]
