"""The registry: every node in every version, imported when it is needed."""

import subprocess
import sys

import pytest

from penstock.nodes.registry import REGISTRY, Registry
from penstock.sdk.call import Call
from penstock.sdk.node import Node
from penstock.subjects.messages import Outcome

VERSIONS = {
    "manualTrigger": [1],
    "start": [1],
    "errorTrigger": [1],
    "noOp": [1],
    "stickyNote": [1],
    "webhook": [1, 1.1, 2, 2.1],
    "respondToWebhook": [1, 1.1, 1.2, 1.3, 1.4, 1.5],
    "scheduleTrigger": [1, 1.1, 1.2, 1.3, 1.4],
    "cron": [1],
    "interval": [1],
    "set": [1, 2, 3, 3.1, 3.2, 3.3, 3.4, 3.5],
    "if": [1, 2, 2.1, 2.2, 2.3],
    "switch": [1, 2, 3, 3.1, 3.2, 3.3, 3.4],
    "filter": [1, 2, 2.1, 2.2, 2.3],
    "merge": [1, 2, 2.1, 3, 3.1, 3.2],
    "splitInBatches": [1, 2, 3],
    "limit": [1],
    "splitOut": [1],
    "aggregate": [1],
    "stopAndError": [1],
    "wait": [1, 1.1],
    "executeWorkflow": [1, 1.1, 1.2, 1.3, 1.4],
    "executeWorkflowTrigger": [1, 1.1, 1.2],
}


@pytest.mark.parametrize("name", VERSIONS)
def test_a_type_is_served_in_every_version(name: str) -> None:
    assert REGISTRY.versions(f"n8n-nodes-base.{name}") == VERSIONS[name]


@pytest.mark.parametrize(
    ("name", "version"), [("n8n-nodes-base.set", 9), ("n8n-nodes-base.nope", 1), ("x.set", 1)]
)
def test_what_nobody_serves_is_nothing(name: str, version: float) -> None:
    assert REGISTRY.get(name, version) is None


def test_asking_for_one_type_imports_no_other() -> None:
    code = (
        "import sys; from penstock.nodes.registry import REGISTRY;"
        "REGISTRY.get('n8n-nodes-base.noOp', 1);"
        "sys.exit('penstock.nodes.merge' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_added_node_never_replaces_one_that_is_there() -> None:
    class Impostor(Node):
        type = "n8n-nodes-base.noOp"
        versions = (1, 7)

        def run(self, call: Call) -> Outcome:
            return call.items_out([])

    registry = Registry()
    built_in = registry.get("n8n-nodes-base.noOp", 1)
    registry.add(Impostor)

    assert registry.get("n8n-nodes-base.noOp", 1) is built_in
    assert isinstance(registry.get("n8n-nodes-base.noOp", 7), Impostor)
