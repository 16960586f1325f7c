"""Lineage: which item of an earlier node an item descends from, and a node's items by run.

Every item says in `pairedItem` where it stood in the input of the node that made it, and every
run says in `sources` which run and output that input came from. Following both backwards leads
to any ancestor. Plain Python on a `Scope`: the JavaScript engine of the Code node asks the same
functions.
"""

from collections.abc import Iterator
from typing import Any

from penstock.subjects.messages import Item, Source
from penstock.workflow.expressions.errors import ExpressionError
from penstock.workflow.scope import Run, Scope

_PATHS_MAX = 10_000


def node_index(scope: Scope, name: str) -> int:
    """The plan index of a node; raises when the workflow has no such node."""
    index = scope.plan.by_name.get(name)
    if index is None:
        raise ExpressionError("Referenced node doesn't exist", context={"nodeCause": name})
    return index


def executed_runs(scope: Scope, name: str) -> list[Run]:
    """The runs of a node that has run; raises when it has not."""
    runs = scope.runs.get(node_index(scope, name))
    if not runs:
        raise ExpressionError(
            f"Node '{name}' hasn't been executed",
            context={"nodeCause": name, "type": "no_execution_data"},
        )
    return runs


def is_executed(scope: Scope, name: str) -> bool:
    """Whether a node has run data."""
    return bool(scope.runs.get(node_index(scope, name)))


def node_items(
    scope: Scope, name: str, branch: int | None = None, run: int | None = None
) -> list[Item]:
    """The items of a node's run: the last one, at the output that leads here, by default."""
    runs = executed_runs(scope, name)
    if run is None or run < 0:
        run = len(runs) - 1
    if run >= len(runs):
        raise ExpressionError(f"Run {run} of node '{name}' not found")
    if branch is None:
        branch = connected_output(scope, node_index(scope, name))
    outputs = runs[run].outputs
    if branch >= len(outputs):
        if branch == 0:
            return []
        raise ExpressionError(f"Node '{name}' has no branch with index {branch}.")
    return outputs[branch] or []


def connected_output(scope: Scope, ancestor: int) -> int:
    """The output of `ancestor` through which the current node is reached, else 0."""
    parents = scope.plan.parents
    seen: set[int] = set()
    queue = [scope.node.index]
    while queue:
        current = queue.pop(0)
        for edges in parents[current] if current < len(parents) else ():
            for edge in edges:
                if edge.node == ancestor:
                    return edge.input
                if edge.node not in seen:
                    seen.add(edge.node)
                    queue.append(edge.node)
    return 0


def paired_item(scope: Scope, name: str, item_index: int) -> Item:
    """`$('name').item`: the one item of that node from which the current item descends."""
    target = node_index(scope, name)
    straight = _straight(scope, target, item_index)
    if straight is not None:
        return straight
    runs = executed_runs(scope, name)
    items = scope.items
    if item_index >= len(items):
        raise ExpressionError("No execution data available")
    found: list[Item] = []
    paired = items[item_index].get("pairedItem")
    if paired is None:
        paired = item_index  # an item of input 0 stands at its own position there
    search = _Search(scope, target, found)
    _follow(search, paired, scope.sources)
    if not found:
        if not _is_ancestor(scope, target):
            raise _no_path(name)
        raise unavailable(search.lost or name)
    first = found[0]
    if any(other is not first for other in found):
        raise ExpressionError("Multiple matches found", context={"nodeCause": name})
    assert runs
    return first


def _straight(scope: Scope, target: int, item_index: int) -> Item | None:
    """The ancestor on a line without forks, loops or gaps; `None` leaves it to the full search."""
    item: Item
    try:
        paired: Any = scope.inputs[0][item_index].get("pairedItem")  # type: ignore[index]
        sources = scope.sources
        for _ in range(_LINE_MAX):
            if len(paired) > 1 and ("sourceOverwrite" in paired or paired.get("input")):
                return None
            source = sources[0]
            run = scope.runs[source.node][source.run]  # type: ignore[union-attr]
            item = run.outputs[source.output][paired["item"]]  # type: ignore[index, union-attr]
            if source.node == target:  # type: ignore[union-attr]
                return item
            paired, sources = item.get("pairedItem"), run.sources
    except (TypeError, AttributeError, LookupError):
        return None
    return None


_LINE_MAX = 1000


def unavailable(name: str) -> ExpressionError:
    """The error for an item whose lineage is not known."""
    return ExpressionError(
        f"Paired item data for item from node '{name}' is unavailable."
        f" Ensure '{name}' is providing the required output.",
        context={"nodeCause": name, "type": "paired_item_no_info"},
    )


def _no_path(name: str) -> ExpressionError:
    return ExpressionError(
        "Invalid expression",
        description=f"There is no connection back to the node '{name}'",
        context={"nodeCause": name, "type": "paired_item_no_connection"},
    )


class _Search:
    """A walk back through the runs: where to, and what was found."""

    def __init__(self, scope: Scope, target: int, found: list[Item]) -> None:
        self.scope = scope
        self.target = target
        self.found = found
        self.seen: set[tuple[int, int, int, int]] = set()
        self.lost = ""
        """The first node on the way whose item does not tell where it came from."""


def _follow(search: _Search, paired: Any, sources: list[Source | None]) -> None:
    """Collect every item of the target that `paired` leads to, going on in a loop of our own."""
    pending: list[tuple[Any, list[Source | None]]] = [(paired, sources)]
    while pending and len(search.seen) < _PATHS_MAX:
        paired, sources = pending.pop()
        for index, source in origins(paired, sources, search.scope.plan.by_name):
            place = (source.node, source.run, source.output, index)
            if place in search.seen:
                continue
            search.seen.add(place)
            run = _run_at(search.scope, source)
            if run is None:
                continue
            items = run.outputs[source.output] if source.output < len(run.outputs) else None
            if not items or index >= len(items):
                continue
            if source.node == search.target:
                search.found.append(items[index])
                continue
            onward = items[index].get("pairedItem")
            if onward is None and not search.lost:
                search.lost = search.scope.plan.nodes[source.node].name
            pending.append((onward, run.sources))


def _run_at(scope: Scope, source: Source) -> Run | None:
    runs = scope.runs.get(source.node)
    return runs[source.run] if runs and source.run < len(runs) else None


def origins(
    paired: Any, sources: list[Source | None], names: dict[str, int]
) -> Iterator[tuple[int, Source]]:
    """The (item index, source) pairs that a `pairedItem` tells; `names` are the plan's nodes."""
    if paired is None:
        return
    if isinstance(paired, list):
        for one in paired:
            yield from origins(one, sources, names)
        return
    if isinstance(paired, int):
        paired = {"item": paired}
    source = _overwritten(paired.get("sourceOverwrite"), names)
    if source is None:
        position = paired.get("input") or 0
        source = sources[position] if position < len(sources) else None
    if source is not None:
        yield paired["item"], source


def _overwritten(value: Any, names: dict[str, int]) -> Source | None:
    """A loop's `sourceOverwrite`: items that went round keep the source they came in with."""
    node = names.get(value.get("previousNode", "")) if isinstance(value, dict) else None
    if node is None:
        return None
    return Source(node, value.get("previousNodeOutput", 0), value.get("previousNodeRun", 0))


def _is_ancestor(scope: Scope, target: int) -> bool:
    parents = scope.plan.parents
    seen: set[int] = set()
    queue = [scope.node.index]
    while queue:
        current = queue.pop()
        for edges in parents[current] if current < len(parents) else ():
            for edge in edges:
                if edge.node == target:
                    return True
                if edge.node not in seen:
                    seen.add(edge.node)
                    queue.append(edge.node)
    return False
