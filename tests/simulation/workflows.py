"""The workflows that the simulator runs, one per thing that can be interrupted."""

from typing import Any

BASE = "n8n-nodes-base."


def document(name: str, *nodes: dict[str, Any], edges: dict[str, list[list[str]]]) -> Any:
    """A workflow document; `edges[node][output]` are the nodes behind an output."""
    return {
        "name": name,
        "nodes": list(nodes),
        "connections": {
            source: {
                "main": [
                    [{"node": target, "type": "main", "index": 0} for target in targets]
                    for targets in outputs
                ]
            }
            for source, outputs in edges.items()
        },
        "settings": {"executionOrder": "v1"},
    }


def node(name: str, kind: str, version: float = 1, **settings: Any) -> dict[str, Any]:
    """A node; what is in `more` goes beside its parameters."""
    more = settings.pop("more", {})
    return {
        "id": name,
        "name": name,
        "type": BASE + kind,
        "typeVersion": version,
        "position": [0, 0],
        "parameters": settings,
        **more,
    }


def mark(name: str) -> dict[str, Any]:
    """An inline node that sets a field of its own name."""
    assigned = {"id": "1", "name": name, "value": "yes", "type": "string"}
    return node(
        name,
        "set",
        3.4,
        assignments={"assignments": [assigned]},
        includeOtherFields=True,
        options={},
    )


def code(name: str, **more: Any) -> dict[str, Any]:
    """A dispatched node; the simulator's sandbox host adds a field of its name to each item."""
    return node(name, "code", 2, jsCode="return items", more=more)


TRIGGER = node("start", "executeWorkflowTrigger", 1)

INLINE = document(
    "inline",
    TRIGGER,
    mark("a"),
    mark("b"),
    mark("c"),
    edges={"start": [["a"]], "a": [["b"]], "b": [["c"]]},
)
DISPATCHED = document(
    "dispatched",
    TRIGGER,
    code("a"),
    mark("b"),
    code("c"),
    edges={"start": [["a"]], "a": [["b"]], "b": [["c"]]},
)
WAITING = document(
    "waiting",
    TRIGGER,
    node("pause", "wait", 1.1, amount=20, unit="seconds"),
    mark("b"),
    edges={"start": [["pause"]], "pause": [["b"]]},
)
CALLED = document(
    "called",
    TRIGGER,
    node("pause", "wait", 1.1, resume="webhook", options={}),
    code("b"),
    edges={"start": [["pause"]], "pause": [["b"]]},
)
RETRYING = document(
    "retrying",
    TRIGGER,
    code("flaky", retryOnFail=True, maxTries=3, waitBetweenTries=1000),
    mark("b"),
    edges={"start": [["flaky"]], "flaky": [["b"]]},
)
LOOPING = document(
    "looping",
    TRIGGER,
    code("many"),
    node("loop", "splitInBatches", 3, options={}),
    code("body"),
    mark("b"),
    edges={"start": [["many"]], "many": [["loop"]], "loop": [["b"], ["body"]], "body": [["loop"]]},
)
PARENT = document(
    "parent",
    TRIGGER,
    node(
        "call",
        "executeWorkflow",
        1.2,
        source="database",
        workflowId={"__rl": True, "mode": "id", "value": "dispatched"},
        mode="each",
        options={"waitForSubWorkflow": True},
    ),
    mark("b"),
    edges={"start": [["call"]], "call": [["b"]]},
)
FAILING = document(
    "failing",
    TRIGGER,
    node("stop", "stopAndError", 1, errorMessage="on purpose"),
    edges={"start": [["stop"]]},
)

SCHEDULED = document(
    "scheduled",
    node("start", "interval", 1, interval=3, unit="seconds"),
    mark("b"),
    edges={"start": [["b"]]},
)
SCHEDULED["penstock"] = {"misfire": "all"}

ALL = {
    document["name"]: document
    for document in (INLINE, DISPATCHED, WAITING, CALLED, RETRYING, LOOPING, PARENT, FAILING)
}
"""By workflow id, which is the name."""

STATUS = {name: "error" if name == "failing" else "success" for name in ALL}
"""How each ends when nothing cancels it."""
