"""Several requests may wait for one execution, and each is given its own answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from penstock.actors.execution import core
from penstock.actors.inbox import RESULTS
from penstock.gateway.metrics import Metrics
from penstock.gateway.replies import Replies
from penstock.gateway.signals import Signals
from penstock.subjects import names
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.messages import Outcome, Reply, ReplyTo, Resume, StepResult
from penstock.workflow.document import content_hash
from tests.simulation.workflows import TRIGGER, code, document, node
from tests.unit.actors.owner import Owner, ends, owned, repair_slowly

WAITS_S = 100.0


def pause(name: str, mode: str, **options: Any) -> dict[str, Any]:
    return node(name, "wait", 1.1, resume="webhook", responseMode=mode, options=options)


APPROVAL = document(
    "approval",
    TRIGGER,
    *(pause("pause", "lastNode"), code("b")),
    edges={"start": [["pause"]], "pause": [["b"]]},
)
TWICE = document(
    "twice",
    TRIGGER,
    *(pause("one", "onReceived", responseData="thank you"), pause("two", "lastNode"), code("b")),
    edges={"start": [["one"]], "one": [["two"]], "two": [["b"]]},
)


class Caller:
    """A gateway that resumes executions."""

    def __init__(self, owner: Owner) -> None:
        bus = MemoryBus(owner.broker)
        self.replies = Replies(bus, region="local", partitions=1, gateway="gw", metrics=Metrics())
        self._signals = Signals(bus, region="local", gateway="gw")

    def resume(self, execution: str) -> "asyncio.Task[Reply | None]":
        """Call the address that the execution waits at, and wait for its answer."""
        return asyncio.create_task(self._resume(execution))

    async def _resume(self, execution: str) -> Reply | None:
        waiting, reply_to = self.replies.open(execution, WAITS_S)
        signal = Resume(execution, [{"json": {}}], "", "GET", reply_to)
        waiting.accepted(await self._signals.send(0, signal))
        try:
            return await waiting.future
        finally:
            self.replies.close(waiting)


@asynccontextmanager
async def calling(owner: Owner) -> AsyncIterator[Caller]:
    caller = Caller(owner)
    sweeping = asyncio.create_task(caller.replies.sweep())
    try:
        yield caller
    finally:
        sweeping.cancel()


async def waiting(owner: Owner, workflow: dict[str, Any]) -> None:
    """`e1` has come to where it waits."""
    await owner.store(str(workflow["name"]), workflow)
    owner.run("e1", "", plan=content_hash(workflow))
    await asyncio.sleep(1)


def finish_step(owner: Owner) -> None:
    state = owner.partition.table.active["e1"]
    outcome = Outcome([[{"json": {"approved": True}}]])
    result = StepResult("e1", state.seq, state.attempt, outcome, "sim", 0, 1)
    owner.append(names.done("local", 0), RESULTS.encode([result]))


def answer_of(task: "asyncio.Task[Reply | None]") -> tuple[int, bool]:
    reply = task.result()
    assert reply is not None
    return reply.status, b"approved" in reply.body


def test_who_clicks_a_link_a_second_time_does_not_get_the_answer_of_the_first() -> None:
    async def test(owner: Owner) -> None:
        await waiting(owner, APPROVAL)
        async with calling(owner) as caller:
            first = caller.resume("e1")
            await asyncio.sleep(0.1)
            second = caller.resume("e1")
            await asyncio.sleep(5)
            finish_step(owner)
            await asyncio.sleep(3)

        assert answer_of(second) == (409, False)
        assert answer_of(first) == (200, True)

    owned(test)


def test_who_resumes_a_second_wait_does_not_get_the_answer_of_the_first() -> None:
    async def test(owner: Owner) -> None:
        await waiting(owner, TWICE)
        async with calling(owner) as caller:
            first = caller.resume("e1")
            await asyncio.sleep(1)
            second = caller.resume("e1")
            await asyncio.sleep(5)
            finish_step(owner)
            await asyncio.sleep(3)

        assert b"thank you" in first.result().body  # type: ignore[union-attr]
        assert answer_of(second) == (200, True)

    owned(test)


def test_who_waits_hears_when_another_call_takes_the_answer_over() -> None:
    async def test(owner: Owner) -> None:
        await waiting(owner, APPROVAL)

        owner.signal(Resume("e1", [{"json": {}}], "", "GET", ReplyTo("test", 2)))
        await asyncio.sleep(1)
        finish_step(owner)
        await asyncio.sleep(1)

        assert {reply.request: reply.status for reply in owner.replies} == {1: 202, 2: 200}

    owned(test)


def test_who_waits_for_one_that_is_made_anew_goes_on_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_result = core.on_result

    def raises_once(*turn: Any) -> Any:
        monkeypatch.setattr(core, "on_result", on_result)
        raise RuntimeError("a bug that shows once")

    async def test(owner: Owner) -> None:
        await waiting(owner, APPROVAL)
        repair_slowly(owner, 10)
        async with calling(owner) as caller:
            resumed = caller.resume("e1")
            await asyncio.sleep(1)
            monkeypatch.setattr(core, "on_result", raises_once)
            finish_step(owner)
            await asyncio.sleep(20)

        assert ends(owner) == {"e1": "success"}
        assert answer_of(resumed) == (200, True)

    owned(test)
