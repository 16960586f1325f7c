"""Loop Over Items (Split In Batches): its items batch by batch, each time it is reached.

A loop is a cycle of connections, and this node a cursor: its context holds how far it is and in
which runs its items are to be found, not the items, so that a round costs the same however many
there are; runs that follow one another count as one place. Items that come back are put out as
`done` at the end. `reset` begins again with what comes in.
"""

from collections.abc import Iterator
from typing import Any

from penstock.sdk.call import Call
from penstock.sdk.node import Node
from penstock.sdk.pairing import pointer
from penstock.subjects.messages import Item, Outcome, Source
from penstock.workflow.expressions.convert import to_integer, truthy

Place = dict[str, Any]
"""Where items are: `{node, output, run, count}`, or `{items, source}` where no run holds them.
With `rounds`, the same holds for that many runs from `run` on."""


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
    after = {
        **state,
        "taken": first + len(batch),
        "returned": _extended(state["returned"], _place(call)),
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
    own = [{**item, "pairedItem": pointer(n)} for n, item in enumerate(items)]
    return {"items": own, "source": _source(call)}


def _extended(places: list[Place], place: Place) -> list[Place]:
    """The places with one more, which joins the last when it is the next run of the same node."""
    if places and "items" not in place and "items" not in places[-1]:
        last = places[-1]
        rounds = last.get("rounds", 1)
        if {**place, "rounds": rounds} == {**last, "rounds": rounds, "run": last["run"] + rounds}:
            return [*places[:-1], {**last, "rounds": rounds + 1}]
    return [*places, place]


def _each_run(places: list[Place]) -> Iterator[Place]:
    """The places one run at a time."""
    for place in places:
        for number in range(place.get("rounds", 1)):
            yield {**place, "run": place["run"] + number} if number else place


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
    return {} if source is None else _told(call, source)


def _told(call: Call, source: Source) -> dict[str, Any]:
    told: dict[str, Any] = {"previousNode": call.scope.plan.nodes[source.node].name}
    if source.output:
        told["previousNodeOutput"] = source.output
    if source.run:
        told["previousNodeRun"] = source.run
    return told


def _source_of(call: Call, place: Place) -> dict[str, Any]:
    if "items" in place:
        return dict(place["source"])
    return _told(call, Source(place["node"], place["output"], place["run"]))


def _processed(call: Call, returned: list[Place]) -> list[Item]:
    """All items that came back from the loop, in order."""
    items: list[Item] = []
    for place in _each_run(returned):
        source = _source_of(call, place)
        for index, item in enumerate(_at(call, place)):
            items.append({**item, "pairedItem": {"sourceOverwrite": source, "item": index}})
    return items


def _out(call: Call, batch: list[Item], returned: list[Place]) -> Outcome:
    if call.version < 2:
        return call.items_out(batch) if batch else call.ends_branch()
    outputs = [[], batch] if batch else [_processed(call, returned), []]
    return call.items_out(*(outputs if call.version >= 3 else outputs[::-1]))
