"""A small installation in virtual time: broker, gateway, actor and sandbox hosts, projectors.

The actor hosts are the real thing (placement, owner, core, nodes, schedules), and so are the
projectors but for their stores. Everything that can go wrong is drawn from one seed.
"""

import asyncio
import zlib
from collections import Counter
from collections.abc import Coroutine
from random import Random
from typing import Any

from penstock.actors.host import Host
from penstock.actors.shared import SNAPSHOT_S, Shared
from penstock.actors.snapshot import HEAD
from penstock.nodes.registry import REGISTRY
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.ids import partition_of
from penstock.subjects.memory_broker import MemoryBroker, Stored
from penstock.subjects.messages import TenantLimits
from penstock.subjects.streams import Budget, ensure
from penstock.subjects.workflows import Version, WorkflowRecord, workflow_key, workflow_record
from penstock.workflow.compile import compile_document
from penstock.workflow.document import content_hash, encode
from tests.simulation.database import SimBlobs, SimDatabase
from tests.simulation.faults import SimFaults
from tests.simulation.freezing import FreezingBus
from tests.simulation.gateway import SimGateway
from tests.simulation.history import Audit, SimProjector
from tests.simulation.ledger import Ledger
from tests.simulation.sandbox import SimSandbox
from tests.simulation.snapshots import SnapshotAudit
from tests.simulation.virtual import START_MS, VirtualClock
from tests.simulation.wire import Wire
from tests.simulation.workflows import ALL, SCHEDULED

PARTITIONS = 2
TENANTS = ("main", "other")
IN_MEMORY = ("STEPS", "DONE")


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


class World:
    """See the module's text. Make it with `world(seed)`."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.faults = SimFaults(random=Random(seed + 1))
        self.broker = MemoryBroker(self.faults)
        self.plans = {
            (plan := compile_document(document, REGISTRY)).hash: plan
            for document in (*ALL.values(), SCHEDULED)
        }
        self.hashes = {name: content_hash(document) for name, document in ALL.items()}
        self.hosts: list[SimHost] = []
        self.projectors: list[SimProjector] = []
        self.sandboxes: list[SimSandbox] = []
        self.ran: Counter[tuple[str, int, int]] = Counter()
        self.offset_ms = 0
        """What the clocks of new hosts are ahead."""
        self.snapshot_s = SNAPSHOT_S
        self.digest = 0
        """Of what was appended where and when: the same whenever the seed is played."""
        self._owners = 0
        self._aside: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Declare everything and start two actor hosts and two sandbox hosts."""
        bus = self._admin = MemoryBus(self.broker)
        await ensure(bus, "local", Budget(file_bytes=1 << 40))
        for name, document in ALL.items():
            key = self.hashes[name]
            await bus.bucket("plans").put(key, encode(document))
            for tenant in TENANTS:
                record = WorkflowRecord(name, tenant, name, [Version(1, key, 0)], 0, 0)
                frame = workflow_record.encode(record)
                await bus.bucket("workflows").put(workflow_key(tenant, name), frame)
        await self.set_schedule(is_on=True)
        self._heads = 0
        self.broker.stream("SNAP").listeners.append(self._on_snapshot)
        self.broker.stream("EXEC").listeners.append(self._digest)
        self.ledger = Ledger(self.broker, PARTITIONS, self.plans)
        self.wire = Wire(self.broker, self.ledger)
        self._watch_memory()
        SnapshotAudit(self.broker, self.ledger, PARTITIONS)
        self.database, self.blobs = SimDatabase(self.faults), SimBlobs(self.faults)
        self.audit = Audit(self.ledger, self.database, self.blobs)
        self.gateway = SimGateway(self.broker, self.random, PARTITIONS)
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

    def add_projector(self) -> SimProjector:
        """Start a projector."""
        projector = SimProjector(self.broker, self.database, self.blobs)
        self.projectors.append(projector)
        return projector

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

    def lose_broker(self) -> None:
        """The broker dies, and what it has in memory with it."""
        for bus in self._buses():
            bus.disconnect()
        for stream in IN_MEMORY:
            self.broker.lose(stream)
        self._watch_memory()

    def find_broker(self) -> None:
        """It is there again."""
        for bus in self._buses():
            bus.reconnect()

    def _buses(self) -> list[MemoryBus]:
        programs: list[SimHost | SimProjector | SimSandbox] = [*self.hosts, *self.projectors]
        programs += self.sandboxes
        return [self.gateway.bus, *(each.bus for each in programs if not each.is_dead)]

    def _watch_memory(self) -> None:
        for stream in IN_MEMORY:
            self.broker.stream(stream).listeners.append(self._digest)
        self.wire.watch(self.broker.stream("STEPS"))

    def run_aside(self, work: Coroutine[Any, Any, Any]) -> None:
        """Let something go on by itself."""
        task = asyncio.get_running_loop().create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    def _digest(self, stored: Stored) -> None:
        told = f"{stored.message.subject} {stored.message.sequence} {stored.at_s}"
        self.digest = zlib.crc32(told.encode(), self.digest)

    def limit(self, tenant: str, concurrency: int = -1, steps_per_s: float = -1) -> None:
        """Let so many executions of a tenant run at once, and so many steps (-1: any number)."""
        limits = TenantLimits(tenant, concurrency=concurrency, steps_per_s=steps_per_s)
        self.gateway.send_signal(partition_of(f"tenant/{tenant}", PARTITIONS), limits)

    def snapshots(self) -> int:
        """How many heads were written, those that only open an epoch included."""
        return self._heads

    def close(self) -> None:
        """End everything."""
        for host in self.hosts:
            host.kill()
        for projector in self.projectors:
            projector.kill()
        for sandbox in self.sandboxes:
            sandbox.kill()
