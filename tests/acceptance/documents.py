"""Small workflow documents, as a user would export them."""

from itertools import pairwise
from typing import Any

Document = dict[str, Any]


def node(name: str, kind: str, version: float = 1, **parameters: Any) -> Document:
    """One node; its id is its name."""
    return {
        "id": name,
        "name": name,
        "type": f"n8n-nodes-base.{kind}",
        "typeVersion": version,
        "position": [0, 0],
        "parameters": parameters,
    }


def webhook(path: str, mode: str = "lastNode", method: str = "POST", **more: Any) -> Document:
    """A webhook trigger."""
    parameters = {"httpMethod": method, "path": path, "responseMode": mode, "options": {}} | more
    return node("Webhook", "webhook", 2, **parameters) | {"webhookId": path.replace("/", "-")}


def assign(name: str, *, keep: bool = False, **values: Any) -> Document:
    """A Set node; the type of each value is that of its Python value."""
    kinds: dict[type, str] = {str: "string", int: "number", float: "number", bool: "boolean"}
    assignments = [
        {"id": key, "name": key, "value": value, "type": kinds[type(value)]}
        for key, value in values.items()
    ]
    return node(
        name,
        "set",
        3.4,
        assignments={"assignments": assignments},
        includeOtherFields=keep,
        options={},
    )


def code(name: str, source: str, **more: Any) -> Document:
    """A Code node in JavaScript."""
    return node(name, "code", 2, jsCode=source, **more)


def chain(title: str, *nodes: Document, **settings: Any) -> Document:
    """A document whose nodes follow one another."""
    for place, one in enumerate(nodes):
        one["position"] = [200 * place, 0]
    return {
        "name": title,
        "nodes": list(nodes),
        "connections": {
            a["name"]: {"main": [[{"node": b["name"], "type": "main", "index": 0}]]}
            for a, b in pairwise(nodes)
        },
        "settings": {"executionOrder": "v1", **settings},
    }
