"""The workflows of the drills, one per way in which an execution can be under way."""

import itertools
from typing import Any

from penstock.cli.api import Api, segment
from tests.up import wait_until

Nodes = list[tuple[str, str, float, dict[str, Any]]]

MARK: tuple[str, str, float, dict[str, Any]] = (
    "Mark",
    "set",
    3.4,
    {"assignments": {"assignments": []}, "includeOtherFields": True},
)


def chain(path: str, response_mode: str, *after: tuple[str, str, float, dict[str, Any]]) -> Any:
    """A webhook with nodes behind it, one after another."""
    webhook = {"httpMethod": "POST", "path": path, "responseMode": response_mode, "options": {}}
    nodes: Nodes = [("Webhook", "webhook", 2, webhook), *after]
    return {
        "name": path,
        "nodes": [
            {
                "id": name,
                "name": name,
                "type": f"n8n-nodes-base.{kind}",
                "typeVersion": version,
                "position": [0, 0],
                "parameters": parameters,
            }
            for name, kind, version, parameters in nodes
        ],
        "connections": {
            before[0]: {"main": [[{"node": behind[0], "type": "main", "index": 0}]]}
            for before, behind in itertools.pairwise(nodes)
        },
        "settings": {"executionOrder": "v1"},
    }


def code(path: str, response_mode: str) -> Any:
    """A step in a sandboxed process, then one inline."""
    double = {"jsCode": "return [{ json: { n: 2 * $json.body.turn } }];"}
    return chain(path, response_mode, ("Double", "code", 2, double), MARK)


def inline(path: str, response_mode: str = "onReceived") -> Any:
    """One inline step."""
    return chain(path, response_mode, MARK)


def effect(path: str, url: str) -> Any:
    """A request to the ledger of side effects, then an inline step."""
    call = {
        "method": "POST",
        "url": url,
        "sendBody": True,
        "specifyBody": "json",
        "jsonBody": "={{ JSON.stringify({ execution: $execution.id }) }}",
        "options": {"timeout": 20_000},
    }
    retry = ("Effect", "httpRequest", 4.2, call)
    return chain(path, "onReceived", retry, MARK)


def waiting(path: str, seconds: float) -> Any:
    """A wait that only time ends."""
    pause = {"amount": seconds, "unit": "seconds"}
    return chain(path, "onReceived", ("Pause", "wait", 1.1, pause), MARK)


def activate(api: Api, *documents: Any) -> list[str]:
    """Import and activate; returns the paths once the gateway answers on each."""
    paths = []
    for document in documents:
        workflow = api.post("/workflows", document)["id"]
        api.post(f"/workflows/{segment(workflow)}/activate")
        paths.append(str(document["name"]))

    def answers(path: str) -> bool:
        status, _, _ = api.call("POST", f"/webhook/{path}", {"turn": 1}, has_token=False)
        return status == 200

    wait_until(lambda: all(answers(path) for path in paths), 20)
    return paths
