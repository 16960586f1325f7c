"""Loop Over Items (Split In Batches): its items batch by batch, each time it is reached.

A loop is a cycle of connections, and this node a cursor: its context holds how far it is and in
which runs its items are to be found, not the items, so that a round costs the same however many
there are. Items that come back are put out as `done` at the end. `reset` begins again with what
comes in.
"""

from typing import Any

from penstock.sdk.call import Call
from penstock.sdk.node import Node
from penstock.sdk.pairing import pointer
from penstock.subjects.messages import Item, Outcome, Source
from penstock.workflow.expressions.convert import to_integer, truthy

Place = dict[str, Any]
"""Where items are: `{node, output, run, count}`, or `{items}` where no run holds them."""


class SplitInBatches(Node):
    """Version 3 puts out [done, loop], version 2 [loop, done], version 1 the loop alone."""

    type = "n8n-nodes-base.splitInBatches"
    versions = (1, 2, 3)
    reads_inputs = True

    def run(self, call: Call) -> Outcome:
        default_size = 1 if call.version >= 3 else 10
        size = max(to_integer(call.param("batchSize", 0, default_size), default_size), 0)
        state = call.scope.contexts.get(call.node.index) or {}
        if "place" not in state or truthy(call.option("options.reset", 0, False)):
            state, batch = _begin(call, size), call.items[:size]
        else:
            state, batch = _go_on(call, state, size)
        state["noItemsLeft"] = state["taken"] >= state["count"]
        state["done"] = not batch
        call.context = state
        return _out(call, batch, state["returned"])

    def outputs(self, parameters: dict[str, Any], version: float) -> int:
        return 1 if version < 2 else 2


def _begin(call: Call, size: int) -> dict[str, Any]:
    count = len(call.items)
    return {
        "place": _place(call),
        "source": _source(call),
        "count": count,
        "taken": min(size, count),
        "returned": [],
        "currentRunIndex": 0,
        "maxRunIndex": -(-count // size) if size else 0,
    }


def _go_on(call: Call, state: dict[str, Any], size: int) -> tuple[dict[str, Any], list[Item]]:
    first, count, source = state["taken"], state["count"], state["source"]
    items = _at(call, state["place"]) if first < count else []
    batch = [
        {**items[n], "pairedItem": {"item": n, "sourceOverwrite": source}}
        for n in range(first, min(first + size, count))
    ]
    returned = {**_place(call), "source": _source(call)}
    after = {
        **state,
        "taken": first + len(batch),
        "returned": [*state["returned"], returned],
        "currentRunIndex": state["currentRunIndex"] + 1,
    }
    return after, batch


def _place(call: Call) -> Place:
    """Where this run's input is to be found later."""
    source, items = _source_run(call), call.items
    if source is not None:
        place = {"node": source.node, "output": source.output, "run": source.run}
        found = _at(call, place)
        if len(found) >= len(items) and all(
            one["json"] == other["json"] for one, other in zip(items, found, strict=False)
        ):
            return {**place, "count": len(items)}
    return {"items": [{**item, "pairedItem": pointer(n)} for n, item in enumerate(items)]}


def _at(call: Call, place: Place) -> list[Item]:
    """The items at a place; none where the run is not known."""
    if "items" in place:
        return list(place["items"])
    runs = call.scope.runs.get(place["node"], [])
    if place["run"] >= len(runs):
        return []
    outputs = runs[place["run"]].outputs
    items = outputs[place["output"]] if place["output"] < len(outputs) else None
    return (items or [])[: place.get("count")]


def _source_run(call: Call) -> Source | None:
    sources = call.scope.sources
    return sources[0] if sources else None


def _source(call: Call) -> dict[str, Any]:
    """Where the input came from, in the form in which `pairedItem` tells it."""
    source = _source_run(call)
    if source is None:
        return {}
    told: dict[str, Any] = {"previousNode": call.scope.plan.nodes[source.node].name}
    if source.output:
        told["previousNodeOutput"] = source.output
    if source.run:
        told["previousNodeRun"] = source.run
    return told


def _processed(call: Call, returned: list[Place]) -> list[Item]:
    """All items that came back from the loop, in order."""
    return [
        {**item, "pairedItem": {"sourceOverwrite": place["source"], "item": index}}
        for place in returned
        for index, item in enumerate(_at(call, place))
    ]


def _out(call: Call, batch: list[Item], returned: list[Place]) -> Outcome:
    if call.version < 2:
        return call.items_out(batch) if batch else call.ends_branch()
    outputs = [[], batch] if batch else [_processed(call, returned), []]
    return call.items_out(*(outputs if call.version >= 3 else outputs[::-1]))
