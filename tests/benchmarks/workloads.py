"""The workflows of the benchmarks W1 to W3, as documents."""

import itertools
from typing import Any

Document = dict[str, Any]


def _node(name: str, kind: str, version: float, parameters: Document) -> Document:
    return {
        "id": name.lower().replace(" ", "-"),
        "name": name,
        "type": f"n8n-nodes-base.{kind}",
        "typeVersion": version,
        "position": [0, 0],
        "parameters": parameters,
    }


def _chain(name: str, nodes: list[Document]) -> Document:
    """A document whose nodes run one after the other."""
    links = {
        a["name"]: {"main": [[{"node": b["name"], "type": "main", "index": 0}]]}
        for a, b in itertools.pairwise(nodes)
    }
    for place, node in enumerate(nodes):
        node["position"] = [200 * place, 0]
    return {
        "name": name,
        "nodes": nodes,
        "connections": links,
        "settings": {"executionOrder": "v1"},
    }


def _set(name: str, field: str, value: str) -> Document:
    assignment = {"id": field, "name": field, "value": value, "type": "string"}
    return _node(
        name,
        "set",
        3.4,
        {"assignments": {"assignments": [assignment]}, "includeOtherFields": True, "options": {}},
    )


def _if(name: str, left: str, right: float) -> Document:
    return _node(
        name,
        "if",
        2.2,
        {
            "conditions": {
                "options": {"caseSensitive": True, "typeValidation": "strict", "version": 2},
                "combinator": "and",
                "conditions": [
                    {
                        "id": "c",
                        "leftValue": left,
                        "rightValue": right,
                        "operator": {"type": "number", "operation": "gt"},
                    }
                ],
            },
            "options": {},
        },
    )


def _webhook(path: str, response_mode: str) -> Document:
    parameters = {
        "httpMethod": "POST",
        "path": path,
        "responseMode": response_mode,
        "options": {},
    }
    return {**_node("Webhook", "webhook", 2, parameters), "webhookId": path}


def w1() -> Document:
    """Sync webhook: transform, IF, respond."""
    respond = _node(
        "Respond",
        "respondToWebhook",
        1.1,
        {"respondWith": "json", "responseBody": "={{ { greeting: $json.greeting } }}"},
    )
    return _chain(
        "W1 sync webhook",
        [
            _webhook("bench-w1", "responseNode"),
            _set("Greet", "greeting", "=Hello {{ $json.body.name }}"),
            _if("Large?", "={{ $json.body.amount }}", 10),
            respond,
        ],
    )


def w2(path: str = "bench-w2") -> Document:
    """Async webhook, five steps, history kept."""
    return _chain(
        "W2 async webhook",
        [
            _webhook(path, "onReceived"),
            _set("One", "one", "={{ $json.body.name.toUpperCase() }}"),
            _if("Large?", "={{ $json.body.amount }}", 10),
            _set("Two", "two", "={{ $json.one + '-' + $json.body.amount }}"),
            _set("Three", "three", "={{ $('Webhook').item.json.body.name }}"),
            _node("Done", "noOp", 1, {}),
        ],
    )


def w3() -> Document:
    """User code (JavaScript, sandboxed process) in a sync webhook."""
    code = (
        "const body = $input.first().json.body;\n"
        "return [{ json: { sum: body.amount + 1, name: body.name.split('').reverse().join('') } }];"
    )
    return _chain(
        "W3 user code",
        [_webhook("bench-w3", "lastNode"), _node("Code", "code", 2, {"jsCode": code})],
    )


BODY: Document = {"name": "Ada Lovelace", "amount": 42, "tags": ["a", "b"], "note": "x" * 120}
