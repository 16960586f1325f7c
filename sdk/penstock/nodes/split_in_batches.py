"""Loop Over Items (Split In Batches): its items batch by batch, each time it is reached.

A loop is a cycle of connections. The node remembers in its context what is left; items that come
back are collected and put out as `done` at the end. `reset` begins again with what comes in.
"""

from typing import Any

from penstock.sdk.call import Call
from penstock.sdk.node import Node
from penstock.sdk.pairing import pointer
from penstock.subjects.messages import Item, Outcome, Source
from penstock.workflow.expressions.convert import to_integer, truthy


class SplitInBatches(Node):
    """Version 3 puts out [done, loop], version 2 [loop, done], version 1 the loop alone."""

    type = "n8n-nodes-base.splitInBatches"
    versions = (1, 2, 3)

    def run(self, call: Call) -> Outcome:
        default_size = 1 if call.version >= 3 else 10
        size = max(to_integer(call.param("batchSize", 0, default_size), default_size), 0)
        state = call.scope.contexts.get(call.node.index) or {}
        if "items" not in state or truthy(call.option("options.reset", 0, False)):
            batch, state = _begin(call, size)
        else:
            batch, state = _go_on(call, state, size)
        state["noItemsLeft"] = not state["items"]
        state["done"] = not batch
        call.context = state
        return _out(call, batch, state["processedItems"])

    def outputs(self, parameters: dict[str, Any], version: float) -> int:
        return 1 if version < 2 else 2


def _begin(call: Call, size: int) -> tuple[list[Item], dict[str, Any]]:
    items = call.items
    return items[:size], {
        "items": items[size:],
        "currentRunIndex": 0,
        "maxRunIndex": -(-len(items) // size) if size else 0,
        "sourceData": _source(call),
        "processedItems": [],
    }


def _go_on(call: Call, state: dict[str, Any], size: int) -> tuple[list[Item], dict[str, Any]]:
    source = _source(call)
    returned = [
        {**item, "pairedItem": {"sourceOverwrite": source, "item": index}}
        for index, item in enumerate(call.items)
    ]
    left = state["items"]
    batch = [_from_before(item, state["sourceData"]) for item in left[:size]]
    return batch, {
        **state,
        "items": left[size:],
        "currentRunIndex": state["currentRunIndex"] + 1,
        "processedItems": [*state["processedItems"], *returned],
    }


def _from_before(item: Item, source: dict[str, Any]) -> Item:
    """An item of the loop's input, which in this run came in another way: it tells how."""
    paired = item.get("pairedItem", pointer(0))
    if isinstance(paired, list):
        return {**item, "pairedItem": [_overwritten(one, source) for one in paired]}
    return {**item, "pairedItem": _overwritten(paired, source)}


def _overwritten(paired: Any, source: dict[str, Any]) -> dict[str, Any]:
    own = {"item": paired} if isinstance(paired, int) else paired
    return {**own, "sourceOverwrite": source}


def _source(call: Call) -> dict[str, Any]:
    """Where the input came from, in the form in which `pairedItem` tells it."""
    source: Source | None = call.scope.sources[0] if call.scope.sources else None
    if source is None:
        return {}
    told: dict[str, Any] = {"previousNode": call.scope.plan.nodes[source.node].name}
    if source.output:
        told["previousNodeOutput"] = source.output
    if source.run:
        told["previousNodeRun"] = source.run
    return told


def _out(call: Call, batch: list[Item], processed: list[Item]) -> Outcome:
    if call.version < 2:
        return call.items_out(batch) if batch else call.ends_branch()
    outputs = [[], batch] if batch else [processed, []]
    return call.items_out(*(outputs if call.version >= 3 else outputs[::-1]))
