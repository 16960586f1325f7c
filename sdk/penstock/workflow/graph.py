"""The graph of a workflow: edges as arrays, who is above whom, in which order children follow.

Only `main` connections are edges. Everything here is decided once per plan, so that the engine
looks things up instead of searching.
"""

from collections.abc import Iterable

from penstock.workflow.document import Document
from penstock.workflow.plan import Edge, Line, Order, PlanNode, Target

Edges = list[list[list[Edge]]]


def edges_of(document: Document) -> tuple[Edges, Edges]:
    """Children by node and output, and parents by node and input, of a document's nodes.

    Connections from or to nodes that do not exist are left out; validation reports them.
    """
    index = {node.name: position for position, node in enumerate(document.nodes)}
    children: Edges = [[] for _ in document.nodes]
    parents: Edges = [[] for _ in document.nodes]
    for source_name, outputs in document.connections.items():
        source = index.get(source_name)
        if source is None:
            continue
        for output, ends in enumerate(outputs):
            children[source].append([])
            for end in ends:
                target = index.get(end.node)
                if target is None:
                    continue
                children[source][output].append(Edge(target, end.input))
                inputs = parents[target]
                while len(inputs) <= end.input:
                    inputs.append([])
                inputs[end.input].append(Edge(source, output))
    return children, parents


def ancestors_of(parents: Edges) -> list[frozenset[int]]:
    """For each node, the nodes from which a path leads to it, without itself."""
    return [frozenset(_reachable(node, parents) - {node}) for node in range(len(parents))]


def _reachable(start: int, edges: Edges) -> set[int]:
    seen: set[int] = set()
    todo = [start]
    while todo:
        for group in edges[todo.pop()]:
            for edge in group:
                if edge.node not in seen:
                    seen.add(edge.node)
                    todo.append(edge.node)
    return seen


def targets_of(nodes: list[PlanNode], children: Edges, order: Order) -> list[list[Target]]:
    """The children of each node in the order in which they are enqueued.

    v1 pushes to the front of the stack, lowest and right-most first, so that the top-most branch
    runs first; the sort is stable, and leaving out empty outputs later does not change it. v0
    pushes to the back in the document's order.
    """
    result = []
    for outputs in children:
        targets = [
            Target(output, edge.node, edge.input)
            for output, edges in enumerate(outputs)
            for edge in edges
        ]
        if order == "v1":
            targets.sort(key=lambda t: _below_then_right(nodes[t.node].position))
        result.append(targets)
    return result


def lines_of(nodes: list[PlanNode], targets: list[list[Target]], order: Order) -> list[Line]:
    """The lines of a plan with these targets."""
    return [
        tuple((target.output, target.node) for target in followers)
        if order == "v1" and all(nodes[target.node].inputs == 1 for target in followers)
        else ()
        for followers in targets
    ]


def _below_then_right(position: tuple[float, float]) -> tuple[float, float]:
    return (-position[1], -position[0])


def visible_runs(
    nodes: Iterable[PlanNode], ancestors: list[frozenset[int]]
) -> list[frozenset[int] | None]:
    """The nodes whose earlier runs a step of each node may look at; `None`: all of them.

    Following an item's lineage to a node passes through every run between, so with it come all
    nodes above.
    """
    result: list[frozenset[int] | None] = []
    for node in nodes:
        if node.reads is None:
            result.append(None)
        elif node.reads_lineage:
            result.append(node.reads | ancestors[node.index])
        else:
            result.append(node.reads)
    return result


def union(visible: Iterable[frozenset[int] | None]) -> frozenset[int] | None:
    """Everything that some node may look at; `None`: all nodes."""
    kept: set[int] = set()
    for seen in visible:
        if seen is None:
            return None
        kept |= seen
    return frozenset(kept)
