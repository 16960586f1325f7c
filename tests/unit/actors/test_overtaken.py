"""A host that was away may have been overtaken by one that is gone again when it comes back."""

import asyncio

from penstock.actors.direct import DIRECT_RUNS
from penstock.actors.dispatch import STEPS
from penstock.actors.host import CONFIRM_S, Host
from penstock.actors.inbox import RESULTS
from penstock.actors.shared import Shared
from penstock.nodes.registry import REGISTRY
from penstock.subjects import names
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.messages import DirectRuns, Outcome, ReplyTo, RunRequest, StepResult
from penstock.workflow.document import content_hash
from tests.simulation.workflows import ALL
from tests.unit.actors.owner import Owner, owned


def send_straight(owner: Owner, execution: str) -> None:
    """Start an execution past the stream: only who owns the partition now will ever know."""
    plan = content_hash(ALL["dispatched"])
    request = RunRequest(execution, "main", "dispatched", plan, "", "webhook", [{"json": {}}], 0)
    request.reply, request.direct = ReplyTo("test", 1), 1
    frame = DIRECT_RUNS.encode(DirectRuns("test", 1, [request]))
    owner.bus.offer(names.direct_runs("local", 0), frame, lambda: None)


def answer_step(owner: Owner) -> None:
    """Answer the last step that was sent."""
    *_, stored = owner.broker.stream("STEPS").since(1, names.steps("local", "process"))
    step = STEPS.decode(stored.message.payload)[0]
    result = StepResult(step.execution, step.seq, step.attempt, Outcome([[]]), "sim", 0, 1)
    owner.append(names.done("local", 0), RESULTS.encode([result]))


def test_what_another_owner_began_and_left_is_finished_though_nothing_comes_in() -> None:
    async def test(owner: Owner) -> None:
        owner.kill()
        bus = MemoryBus(owner.broker)
        shared = Shared(bus, owner.clock, "local", 1, "cut-off", REGISTRY)
        await shared.start()
        host = Host(shared)
        tasks = [asyncio.create_task(host.beat()), asyncio.create_task(host.place())]
        await asyncio.sleep(1)
        assert list(host.partitions) == [0]

        bus.disconnect()
        await owner.take_over()
        send_straight(owner, "e1")
        await asyncio.sleep(1)
        owner.kill()
        bus.reconnect()
        answer_step(owner)
        await asyncio.sleep(CONFIRM_S + 1)

        assert [reply.execution for reply in owner.replies] == ["e1"]
        for task in tasks:
            task.cancel()
        host.close()
        shared.close()

    owned(test)
