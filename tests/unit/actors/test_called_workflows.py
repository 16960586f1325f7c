"""Workflows that another one starts: a child of its own, a saved one, an error workflow.

A child runs and returns to its caller, a missing one is the caller's error, and an error
workflow is started once. Who ends with whom is in `test_families.py`.
"""

import asyncio
import json
from typing import Any

from penstock.workflow.document import content_hash
from tests.simulation.workflows import TRIGGER, document, mark, node
from tests.unit.actors.owner import Owner, ends, errors, owned


def test_a_child_with_a_document_of_its_own_runs_and_returns() -> None:
    child = document("child", TRIGGER, mark("in child"), edges={"start": [["in child"]]})
    call = node(
        "call",
        "executeWorkflow",
        1.2,
        source="parameter",
        workflowJson=json.dumps(child),
        options={},
    )
    parent = document(
        "parent", TRIGGER, call, mark("after"), edges={"start": [["call"]], "call": [["after"]]}
    )

    async def test(owner: Owner) -> None:
        await owner.store("parent", parent)
        owner.run("e1", "parent", plan=content_hash(parent))
        await asyncio.sleep(2)

        assert ends(owner) == {"e1-1": "success", "e1": "success"}
        assert b'"in child":"yes"' in owner.replies[0].body

    owned(test)


def test_a_missing_child_workflow_is_the_callers_error() -> None:
    call = node(
        "call",
        "executeWorkflow",
        1.2,
        workflowId={"__rl": True, "mode": "id", "value": "nowhere"},
        options={},
    )
    parent = document("parent", TRIGGER, call, edges={"start": [["call"]]})

    async def test(owner: Owner) -> None:
        await owner.store("parent", parent)
        owner.run("e1", "parent", plan=content_hash(parent))
        await asyncio.sleep(2)

        assert "nowhere" in errors(owner)["e1"]

    owned(test)


def test_a_failed_execution_starts_its_error_workflow_once() -> None:
    failing = document(
        "failing",
        TRIGGER,
        node("stop", "stopAndError", 1, errorMessage="on purpose"),
        edges={"start": [["stop"]]},
    )
    failing["settings"]["errorWorkflow"] = "handler"
    handler = document(
        "handler", node("on error", "errorTrigger"), mark("b"), edges={"on error": [["b"]]}
    )

    async def test(owner: Owner) -> None:
        await owner.store("failing", failing)
        await owner.store("handler", handler)
        await asyncio.sleep(1)
        owner.run("e1", "failing", plan=content_hash(failing))
        await asyncio.sleep(2)

        assert ends(owner) == {"e1": "error", "e1-error": "success"}

    owned(test)


def test_error_workflows_that_fail_start_no_others_whatever_they_are_called() -> None:
    def failing(name: str, tells: str) -> Any:
        made = document(
            name,
            *(node("on error", "errorTrigger"), TRIGGER),
            node("stop", "stopAndError", 1, errorMessage="on purpose"),
            edges={"start": [["stop"]], "on error": [["stop"]]},
        )
        made["settings"]["errorWorkflow"] = tells
        made["id"] = f"document-of-{name}"
        return made

    async def test(owner: Owner) -> None:
        workflows = (
            failing("itself", "document-of-itself"),
            failing("one", "document-of-another"),
            failing("another", "document-of-one"),
        )
        for each in workflows:
            await owner.store(each["name"], each)
        await asyncio.sleep(1)
        for number, each in enumerate(workflows):
            owner.run(f"e{number}", each["name"], plan=content_hash(each))
        await asyncio.sleep(5)

        assert ends(owner) == {
            f"e{number}{suffix}": "error" for number in range(3) for suffix in ("", "-error")
        }

    owned(test)
