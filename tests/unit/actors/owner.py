"""A partition owner on the memory bus in virtual time, for tests of what it does with messages."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from penstock.actors.dispatch import STEPS
from penstock.actors.execution.events import Finished
from penstock.actors.execution.state import State
from penstock.actors.inbox import SIGNALS
from penstock.actors.journal import RUNS, Entry, Happened, JournalReader
from penstock.actors.partition import Partition
from penstock.actors.replies import REPLIES
from penstock.actors.shared import Shared
from penstock.nodes.registry import REGISTRY
from penstock.subjects import names
from penstock.subjects.bus import Ack, Message
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.dead_letters import DeadLetter, dead_letter
from penstock.subjects.memory_broker import Faults, MemoryBroker
from penstock.subjects.messages import Item, Reply, ReplyTo, RunRequest, Signal, Step
from penstock.subjects.streams import Budget, ensure
from penstock.subjects.workflows import Version, WorkflowRecord, workflow_key, workflow_record
from penstock.workflow.document import content_hash, encode
from tests.simulation import virtual
from tests.simulation.virtual import VirtualClock
from tests.simulation.workflows import ALL


class Owner:
    """One partition, owned by `partition`; replaced by `take_over`."""

    def __init__(self) -> None:
        self.broker = MemoryBroker(Faults())
        self.bus = MemoryBus(self.broker)
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.replies: list[Reply] = []
        self.lost: list[Partition] = []
        self._owners = 0

    async def start(self) -> None:
        """Declare streams, store the simulator's workflows, own the partition."""
        await ensure(self.bus, "local", Budget(file_bytes=1 << 40))
        for name, document in ALL.items():
            await self.store(name, document)
        self.bus.subscribe("reply.test", self._on_reply)
        await self.take_over()

    async def store(self, workflow: str, document: dict[str, Any]) -> None:
        """Save a workflow."""
        key = content_hash(document)
        await self.bus.bucket("plans").put(key, encode(document))
        record = WorkflowRecord(workflow, "main", workflow, [Version(1, key, 0)], 0, 0)
        record.document_id = document.get("id", "")
        frame = workflow_record.encode(record)
        await self.bus.bucket("workflows").put(workflow_key("main", workflow), frame)

    async def take_over(self) -> Partition:
        """A new process owns the partition; the one before knows nothing of it."""
        self._owners += 1
        self.shared = Shared(self.bus, self.clock, "local", 1, f"owner-{self._owners}", REGISTRY)
        await self.shared.start()
        return await self.own_again()

    async def own_again(self) -> Partition:
        """The same process owns the partition anew."""
        self.partition = Partition(self.shared, 0, self.lost.append)
        await self.partition.own()
        return self.partition

    def kill(self) -> None:
        """The process is gone."""
        self.partition.close()
        self.shared.close()

    def run(self, execution: str, workflow: str, **fields: Any) -> None:
        """Start an execution; somebody waits for its answer."""
        plan = fields.pop("plan", None) or content_hash(ALL[workflow])
        items: list[Item] = [{"json": {"who": "test"}}]
        request = RunRequest(
            execution, fields.pop("tenant", "main"), workflow, plan, "", "webhook", items, 0
        )
        request.reply = ReplyTo("test", 1)
        self.append(names.runs("local", 0), RUNS.encode([request]))

    def signal(self, *signals: Signal) -> None:
        """Send signals."""
        self.append(names.signals("local", 0), SIGNALS.encode(list(signals)))

    def append(self, subject: str, frame: bytes) -> None:
        """Put anything into a stream."""
        self.bus.append(subject, frame, _stored)

    def journal(self) -> list[Entry]:
        """All entries so far, with their requests."""
        return [entry for entries in self.records() for entry in entries]

    def records(self) -> list[list[Entry]]:
        """The same by record."""
        reader = JournalReader()
        records = [
            reader.feed(stored.message)
            for stored in self.broker.stream("EXEC").since(1, "exec.local.0.>")
        ]
        return [record.entries for record in records if record is not None]

    def dead(self) -> list[DeadLetter]:
        """What is in quarantine."""
        stored = self.broker.stream("DEAD").since(1, "dead.>")
        return [dead_letter.decode(each.message.payload) for each in stored]

    def _on_reply(self, message: Message) -> None:
        self.replies.extend(REPLIES.decode(message.payload))


def repair_slowly(owner: Owner, seconds: float) -> None:
    """Let repairs of executions take that long from now on."""
    repairs = owner.partition.repairs
    rebuild = repairs.rebuild
    assert rebuild is not None

    async def slowly(execution: str) -> State | None:
        await asyncio.sleep(seconds)
        return await rebuild(execution)

    repairs.rebuild = slowly


def ends(owner: Owner) -> dict[str, str]:
    """The status of every execution that ended."""
    return {
        entry.execution: entry.events[-1].status
        for entry in owner.journal()
        if isinstance(entry, Happened) and isinstance(entry.events[-1], Finished)
    }


def errors(owner: Owner) -> dict[str, str]:
    """The message of every execution's error."""
    return {
        entry.execution: event.error.message
        for entry in owner.journal()
        if isinstance(entry, Happened)
        for event in entry.events
        if isinstance(event, Finished) and event.error is not None
    }


def sent(owner: Owner) -> list[Step]:
    """The steps that STEPS holds."""
    stored = owner.broker.stream("STEPS").since(1, names.steps("local", "process"))
    return [step for each in stored for step in STEPS.decode(each.message.payload)]


def _stored(result: Ack | Exception) -> None:
    assert isinstance(result, Ack), result


def owned(test: Callable[[Owner], Awaitable[None]]) -> None:
    """Run a test with an owner, in virtual time."""

    async def main() -> None:
        owner = Owner()
        await owner.start()
        try:
            await test(owner)
        finally:
            owner.kill()

    virtual.run(main())
