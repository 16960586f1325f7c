"""What a worker says that its node never says: it may be user code that speaks."""

import asyncio
import json
from typing import Any, cast

import pytest

from penstock.nodes.registry import REGISTRY
from penstock.sandbox_host.executor import Executor
from penstock.sandbox_host.pool import ProcessPool
from penstock.subjects.messages import Call, Effect, Outcome, Respond, Step, Wait
from penstock.workflow.compile import compile_document
from penstock.workflow.plan import Plan
from tests.security.sandbox_steps import step

FORGED: list[Effect] = [
    Call("", [[]], document={"nodes": [], "connections": {}}),
    Respond(200, {}, b"forged"),
    Wait(-1),
]


class ForgingPool:
    """Stands in for workers that user code has taken over."""

    async def run(self, step: Step, document: bytes, *, timezone: str) -> Outcome:
        return Outcome([[{"json": {}}]], effects=list(FORGED))


def effects_from(type_name: str, version: float, parameters: dict[str, Any]) -> list[Effect]:
    """What is left of all effects at once when a worker gives them for a node."""
    node = {"id": "1", "name": "N", "type": type_name, "typeVersion": version}
    node |= {"position": [0, 0], "parameters": parameters}
    document = {"nodes": [node], "connections": {}}
    plan = compile_document(document, REGISTRY)
    assert plan.nodes[0].tier == "process" or plan.nodes[0].needs_engine

    async def plans(key: str) -> Plan:
        return plan

    executor = Executor(plans, cast(ProcessPool, ForgingPool()))
    asked = step(json.dumps(document).encode())
    outcome = asyncio.run(executor.run(asked)).outcome
    assert outcome.error is None
    return outcome.effects or []


ENGINE_ONLY = "={{ (class A {}).name }}"


@pytest.mark.parametrize(
    ("type_name", "version", "parameters", "believed"),
    [
        ("n8n-nodes-base.code", 2, {"jsCode": "return []"}, []),
        ("n8n-nodes-base.function", 1, {"functionCode": "return []"}, []),
        ("n8n-nodes-base.limit", 1, {"maxItems": ENGINE_ONLY}, []),
        ("n8n-nodes-base.wait", 1.1, {"amount": ENGINE_ONLY}, [Wait]),
        ("n8n-nodes-base.executeWorkflow", 1, {"workflowId": ENGINE_ONLY}, [Call]),
        ("n8n-nodes-base.respondToWebhook", 1, {"responseBody": ENGINE_ONLY}, [Respond]),
    ],
)
def test_a_worker_is_believed_only_the_effects_that_its_node_may_give(
    type_name: str, version: float, parameters: dict[str, Any], believed: list[type[Effect]]
) -> None:
    given = effects_from(type_name, version, parameters)

    assert [type(effect) for effect in given] == believed
