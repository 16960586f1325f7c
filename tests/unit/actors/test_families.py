"""Callers and the executions that they called: one never goes on without the other."""

import asyncio
import json
from typing import Any

from penstock.actors.execution.events import Finished
from penstock.actors.journal import RUNS, Happened
from penstock.actors.mailbox import Envelope
from penstock.actors.sleepers import PASSIVATE_AFTER_S
from penstock.actors.starts import LOST
from penstock.actors.wakeup import Continue
from penstock.subjects import names
from penstock.subjects.memory_broker import Stored
from penstock.subjects.messages import Cancel, RunRequest
from penstock.workflow.document import DOCUMENT_BYTES_MAX, content_hash
from tests.simulation.workflows import ALL, TRIGGER, document, node
from tests.unit.actors.owner import Owner, ends, errors, owned, repair_slowly


def caller(name: str, called: str) -> Any:
    """A workflow that calls another and waits for it."""
    workflow = {"__rl": True, "mode": "id", "value": called}
    call = node("call", "executeWorkflow", 1.2, workflowId=workflow, options={})
    return document(name, TRIGGER, call, edges={"start": [["call"]]})


async def start_family(owner: Owner) -> None:
    """e1 calls e1-1, which calls e1-1-1, which waits for a call."""
    middle, top = caller("middle", "called"), caller("top", "middle")
    await owner.store("middle", middle)
    await owner.store("top", top)
    owner.run("e1", "top", plan=content_hash(top))
    await asyncio.sleep(1)


def records_of_ends(owner: Owner) -> list[dict[str, str]]:
    """For each record of the journal in which executions end: their status."""
    found = []
    for entries in owner.records():
        ended = {
            entry.execution: entry.events[-1].status
            for entry in entries
            if isinstance(entry, Happened) and isinstance(entry.events[-1], Finished)
        }
        if ended:
            found.append(ended)
    return found


ALL_CANCELED = {"e1": "canceled", "e1-1": "canceled", "e1-1-1": "canceled"}


def test_who_is_cancelled_takes_the_executions_it_waits_for_along_in_the_same_record() -> None:
    async def test(owner: Owner) -> None:
        await start_family(owner)
        owner.signal(Cancel("e1"))
        await asyncio.sleep(1)

        assert records_of_ends(owner) == [ALL_CANCELED]
        assert len(owner.partition.table) == 0

    owned(test)


def test_a_child_that_was_put_away_is_cancelled_with_its_caller() -> None:
    async def test(owner: Owner) -> None:
        await start_family(owner)
        await asyncio.sleep(PASSIVATE_AFTER_S + 2)
        assert set(owner.partition.table.kept) == {"e1-1-1"}
        owner.signal(Cancel("e1"))
        await asyncio.sleep(1)

        assert records_of_ends(owner) == [ALL_CANCELED]

    owned(test)


def test_a_child_whose_caller_died_with_its_owner_is_cancelled_by_the_next_owner() -> None:
    async def test(owner: Owner) -> None:
        request = RunRequest(
            "e1-1", "main", "called", content_hash(ALL["called"]), "", "integrated", [], 0
        )
        request.parent = "e1"
        owner.append(names.runs("local", 0), RUNS.encode([request]))
        await asyncio.sleep(1)
        assert records_of_ends(owner) == []

        owner.kill()
        await owner.take_over()
        await asyncio.sleep(1)

        assert records_of_ends(owner) == [{"e1-1": "canceled"}]

    owned(test)


async def end_a_child_while_its_caller_is_repaired(owner: Owner) -> None:
    """e1 calls e1-1, which ends after 20 s; the repair of e1 takes 60 s from then on."""
    top = caller("top", "waiting")
    await owner.store("top", top)
    owner.run("e1", "top", plan=content_hash(top))
    await asyncio.sleep(1)
    repair_slowly(owner, 60)
    owner.partition.repairs.on_broken("e1", Envelope(Continue("e1")), RuntimeError("a bug"))
    await asyncio.sleep(30)
    assert ends(owner) == {"e1-1": "success"}


def test_a_caller_under_repair_hears_of_its_child_afterwards() -> None:
    async def test(owner: Owner) -> None:
        await end_a_child_while_its_caller_is_repaired(owner)
        await asyncio.sleep(60)

        assert ends(owner) == {"e1-1": "success", "e1": "success"}

    owned(test)


def test_a_caller_whose_childs_return_died_with_the_owner_does_not_wait_for_ever() -> None:
    async def test(owner: Owner) -> None:
        await end_a_child_while_its_caller_is_repaired(owner)
        owner.kill()
        await owner.take_over()
        await asyncio.sleep(1)

        assert ends(owner) == {"e1-1": "success", "e1": "error"}
        assert LOST in errors(owner)["e1"]

    owned(test)


def test_a_child_that_cannot_be_taken_up_ends_once_and_its_callers_are_told() -> None:
    async def test(owner: Owner) -> None:
        await start_family(owner)
        owner.kill()
        await owner.bus.bucket("plans").delete(content_hash(ALL["called"]))
        await owner.take_over()
        await asyncio.sleep(1)

        found = [status for each in records_of_ends(owner) for status in each.items()]
        assert sorted(found) == [("e1", "error"), ("e1-1", "error"), ("e1-1-1", "error")]
        assert len(owner.partition.table) == 0

    owned(test)


def inline_caller(called: Any) -> Any:
    """A workflow that calls one which it carries along."""
    settings = {"source": "parameter", "workflowJson": json.dumps(called), "options": {}}
    call = node("call", "executeWorkflow", 1.2, **settings)
    return document("inlining", TRIGGER, call, edges={"start": [["call"]]})


def test_two_callers_may_carry_the_same_workflow_along_at_once() -> None:
    async def test(owner: Owner) -> None:
        top = inline_caller(ALL["inline"])
        await owner.store("top", top)
        for execution in ("e1", "e2"):
            owner.run(execution, "top", plan=content_hash(top))
        await asyncio.sleep(2)

        assert ends(owner) == dict.fromkeys(("e1", "e1-1", "e2", "e2-1"), "success")

    owned(test)


def test_a_workflow_carried_along_that_is_too_large_is_told_and_not_stored() -> None:
    async def test(owner: Owner) -> None:
        too_large = {**ALL["inline"], "name": "=" * (DOCUMENT_BYTES_MAX + 1)}
        told: list[str] = []
        owner.shared.plans.add(too_large, told.append)
        await asyncio.sleep(1)

        assert len(told) == 1
        assert "too large" in told[0]
        largest = max(owner.broker.stream("KV_plans").messages.values(), key=_size)
        assert _size(largest) < DOCUMENT_BYTES_MAX

    owned(test)


def _size(stored: Stored) -> int:
    return len(stored.message.payload)
