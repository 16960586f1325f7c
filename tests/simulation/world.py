"""A small installation in virtual time: a broker, actor hosts, sandbox hosts, a gateway.

The actor hosts are the real thing (placement, owner, core, nodes). Everything that can go wrong
is drawn from one seed.
"""

import asyncio
from collections import Counter
from random import Random

from penstock.actors.direct import DIRECT_RUNS
from penstock.actors.host import Host
from penstock.actors.inbox import SIGNALS
from penstock.actors.journal import RUNS
from penstock.actors.replies import REPLIES
from penstock.actors.shared import SNAPSHOT_S, Shared
from penstock.actors.snapshot import HEAD
from penstock.nodes.registry import REGISTRY
from penstock.subjects import names
from penstock.subjects.bus import Ack, Message
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.ids import new_id, partition_of, root_of
from penstock.subjects.memory_broker import Faults, MemoryBroker, Stored
from penstock.subjects.messages import (
    Cancel,
    DirectRuns,
    ReplyTo,
    Resume,
    RunRequest,
    Signal,
    TenantLimits,
)
from penstock.subjects.streams import Budget, ensure
from penstock.subjects.workflows import Version, WorkflowRecord, workflow_key, workflow_record
from penstock.workflow.compile import compile_document
from penstock.workflow.document import content_hash, encode
from tests.simulation.freezing import FreezingBus
from tests.simulation.ledger import Ledger
from tests.simulation.sandbox import SimSandbox
from tests.simulation.virtual import START_MS, VirtualClock
from tests.simulation.workflows import ALL, SCHEDULED

PARTITIONS = 2
LOST = 0.2
"""Of the messages that go straight to an owner; as many come twice."""
ANSWER_S = 2.0
"""How long a gateway waits for an answer before it stores what it has sent straight."""


class SimHost:
    """An actor host as a process: it can be killed, frozen, cut off."""

    def __init__(self, broker: MemoryBroker, owner: str, snapshot_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.bus = FreezingBus(broker)
        self.clock = VirtualClock(loop)
        self.shared = Shared(self.bus, self.clock, "local", PARTITIONS, owner, REGISTRY)
        self.shared.snapshot_s = snapshot_s
        self.host = Host(self.shared)
        self._task = loop.create_task(self._run())
        self._beating: asyncio.Task[None] | None = None

    @property
    def is_dead(self) -> bool:
        return self.bus.is_dead

    async def _run(self) -> None:
        await self.shared.start()
        self._beating = asyncio.get_running_loop().create_task(self.host.beat())
        await self.host.place()

    def kill(self) -> None:
        """kill -9."""
        self.bus.die()
        self._stop()

    async def drain(self) -> None:
        """SIGTERM."""
        await self.host.drain()
        self.kill()

    def _stop(self) -> None:
        self._task.cancel()
        if self._beating is not None:
            self._beating.cancel()
        self.host.close()
        self.shared.close()


class SimGateway:
    """Publishes batches until they are acknowledged, as the real one does; about half of the runs
    go straight to the owner first, which may get lost or come twice."""

    def __init__(self, broker: MemoryBroker, random: Random) -> None:
        self.acknowledged: set[str] = set()
        self.sent: dict[str, str] = {}
        self.answered: set[str] = set()
        self.lost = self.stored_late = 0
        self._bus = MemoryBus(broker)
        self._bus.subscribe(names.replies("sim"), self._on_replies)
        self._random = random
        self._number = 0
        self._direct = [0] * PARTITIONS

    def run(self, workflow: str, hashes: dict[str, str]) -> str:
        """Start a workflow; the execution's id."""
        now_ms = int(asyncio.get_running_loop().time() * 1000)
        execution = new_id(now_ms, self._random.getrandbits(55))
        self.sent[execution] = workflow
        items = [{"json": {"who": "sim"}}]
        request = RunRequest(
            execution, "main", workflow, hashes[workflow], "", "webhook", items, now_ms
        )
        request.reply = ReplyTo("sim", len(self.sent))
        if self._random.random() < 0.5:
            self._send_straight(request)
        else:
            self._store(request)
        return execution

    def _send_straight(self, request: RunRequest) -> None:
        partition = partition_of(root_of(request.execution), PARTITIONS)
        self._direct[partition] += 1
        request.direct = number = self._direct[partition]
        frame = DIRECT_RUNS.encode(DirectRuns("sim", number, [request]))
        subject = names.direct_runs("local", partition)
        is_lost = self._random.random() < LOST
        self.lost += is_lost
        if not is_lost:
            self._bus.offer(subject, frame, lambda: None)
        if self._random.random() < LOST:
            self._bus.offer(subject, frame, lambda: None)
        asyncio.get_running_loop().call_later(ANSWER_S, self._store_late, request)

    def _store_late(self, request: RunRequest) -> None:
        """No answer has come: whether the owner has had it only the owner knows."""
        if request.execution not in self.answered or self._random.random() < LOST:
            self.stored_late += 1
            self._store(request)

    def _store(self, request: RunRequest) -> None:
        partition = partition_of(root_of(request.execution), PARTITIONS)
        frame = RUNS.encode([request])
        self._send(names.runs("local", partition), frame, self._id(), request.execution)

    def _on_replies(self, message: Message) -> None:
        for reply in REPLIES.decode(message.payload):
            self.answered.add(reply.execution)
            self.acknowledged.add(reply.execution)

    def signal(self, signal: Cancel | Resume) -> None:
        """Send a signal."""
        self.send_signal(partition_of(root_of(signal.execution), PARTITIONS), signal)

    def send_signal(self, partition: int, signal: Signal) -> None:
        """Send a signal to a partition."""
        self._send(names.signals("local", partition), SIGNALS.encode([signal]), self._id(), "")

    def _id(self) -> str:
        self._number += 1
        return f"sim-{self._number}"

    def _send(self, subject: str, frame: bytes, message_id: str, execution: str) -> None:
        def on_ack(result: Ack | Exception) -> None:
            if isinstance(result, Ack):
                if execution:
                    self.acknowledged.add(execution)
            else:
                again = (subject, frame, message_id, execution)
                asyncio.get_running_loop().call_later(0.2, self._send, *again)

        self._bus.append(subject, frame, on_ack, message_id=message_id)


class World:
    """See the module's text. Make it with `world(seed)`."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.faults = Faults(random=Random(seed + 1))
        self.broker = MemoryBroker(self.faults)
        self.plans = {
            (plan := compile_document(document, REGISTRY)).hash: plan
            for document in (*ALL.values(), SCHEDULED)
        }
        self.hashes = {name: content_hash(document) for name, document in ALL.items()}
        self.hosts: list[SimHost] = []
        self.sandboxes: list[SimSandbox] = []
        self.ran: Counter[tuple[str, int, int]] = Counter()
        self.offset_ms = 0
        """What the clocks of new hosts are ahead."""
        self.snapshot_s = SNAPSHOT_S
        self._owners = 0

    async def start(self) -> None:
        """Declare everything and start two actor hosts and two sandbox hosts."""
        bus = self._admin = MemoryBus(self.broker)
        await ensure(bus, "local", Budget(file_bytes=1 << 40))
        for name, document in ALL.items():
            key = self.hashes[name]
            await bus.bucket("plans").put(key, encode(document))
            record = WorkflowRecord(name, "main", name, [Version(1, key, 0)], 0, 0)
            frame = workflow_record.encode(record)
            await bus.bucket("workflows").put(workflow_key("main", name), frame)
        await self.set_schedule(is_on=True)
        self._heads = 0
        self.broker.stream("SNAP").listeners.append(self._on_snapshot)
        self.ledger = Ledger(self.broker, PARTITIONS, self.plans)
        self.gateway = SimGateway(self.broker, self.random)
        for _ in range(2):
            self.add_host()
            await self.add_sandbox()

    def add_host(self) -> SimHost:
        """Start an actor host."""
        self._owners += 1
        host = SimHost(self.broker, f"owner-{self._owners}", self.snapshot_s)
        host.clock.offset_ms = self.offset_ms
        self.hosts.append(host)
        return host

    async def add_sandbox(self) -> SimSandbox:
        """Start a sandbox host."""
        sandbox = SimSandbox(self.broker, "process", self.random, self.ran)
        self.sandboxes.append(sandbox)
        await sandbox.start()
        return sandbox

    async def set_schedule(self, *, is_on: bool) -> None:
        """Activate or deactivate the workflow that fires every three seconds."""
        key = content_hash(SCHEDULED)
        name, now_ms = "scheduled", START_MS
        record = WorkflowRecord(name, "main", name, [Version(1, key, 0)], now_ms, now_ms)
        record.schedules = ["start"]
        record.active_hash = key if is_on else ""
        record.activated_ms = now_ms
        await self._admin.bucket("plans").put(key, encode(SCHEDULED))
        frame = workflow_record.encode(record)
        await self._admin.bucket("workflows").put(workflow_key("main", name), frame)

    def _on_snapshot(self, stored: Stored) -> None:
        is_head = stored.message.subject.endswith(".head")
        self._heads += is_head and bool(HEAD.decode(stored.message.payload).chunks)

    async def limit_concurrency(self, most: int) -> None:
        """Let so many executions of the tenant run at once (-1: any number)."""
        partition = partition_of("tenant/main", PARTITIONS)
        limits = TenantLimits("main", concurrency=most)
        self.gateway.send_signal(partition, limits)

    async def mark_history(self) -> None:
        """Report how far the ledger is, so that the owners may trim."""
        for number, position in self.ledger.positions.items():
            key = f"history.local.{number}"
            await self._admin.bucket("marks").put(key, b"%d" % position)

    def snapshots(self) -> int:
        """How many heads were written, those that only open an epoch included."""
        return self._heads

    def close(self) -> None:
        """End everything."""
        for host in self.hosts:
            host.kill()
        for sandbox in self.sandboxes:
            sandbox.kill()
