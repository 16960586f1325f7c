"""A whole installation in one process: broker, actor host, sandbox host, on the in-memory bus.

The programs' own parts, wired as they are wired over NATS: an execution is journalled by the
owner of its partition, its steps travel to the sandbox host and back. Nothing outlives it.
"""

import asyncio
import re
from collections.abc import Coroutine
from typing import Any

from penstock.actors.execution import core
from penstock.actors.execution.history import History
from penstock.actors.host import Host
from penstock.actors.journal import RUNS, Happened, JournalReader
from penstock.actors.shared import Shared
from penstock.cli.local_host import LocalHost
from penstock.nodes.registry import REGISTRY
from penstock.sandbox_host.host import TierServer
from penstock.sandbox_host.plans import Plans
from penstock.subjects import names
from penstock.subjects.bus import Ack, Message
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.clock import SystemClock
from penstock.subjects.config import DEFAULT_TIMEZONE
from penstock.subjects.ids import new_id
from penstock.subjects.memory_broker import MemoryBroker
from penstock.subjects.messages import Item, RunRequest
from penstock.subjects.resume_urls import ResumeUrls
from penstock.subjects.streams import Budget, ensure
from penstock.subjects.workflows import Version, WorkflowRecord, workflow_key, workflow_record
from penstock.workflow.compile import compile_document
from penstock.workflow.document import content_hash, encode

REGION, TENANT = "local", "main"
BYTES_MAX = 1 << 32
SLOTS = 16
RESUME_URL = ResumeUrls("http://localhost", None)  # leads nowhere: there is no gateway


class Installation:
    """See the module's text. Use as an async context manager. `timezone` is the instance's."""

    def __init__(self, *, timezone: str = DEFAULT_TIMEZONE) -> None:
        broker = MemoryBroker()
        self._bus = MemoryBus(broker)
        self._clock = SystemClock()
        self._shared = Shared(
            *(MemoryBus(broker), self._clock, REGION, 1, "run", REGISTRY),
            resume_url=RESUME_URL,
            timezone=timezone,
        )
        self._timezone = timezone
        self._actors = Host(self._shared)
        sandbox_bus = MemoryBus(broker)
        self._executor = LocalHost(Plans(sandbox_bus, timezone=timezone))
        self._servers = [
            TierServer(sandbox_bus, self._executor, region=REGION, tier=tier, slots=SLOTS)
            for tier in ("process", "trusted")
        ]
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Installation":
        await ensure(self._bus, REGION, Budget(file_bytes=BYTES_MAX))
        for server in self._servers:
            await server.start()
        await self._shared.start()
        self._keep(self._actors.beat())
        self._keep(self._actors.place())
        await self._actors.ready.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for server in self._servers:
            await server.drain(0)
        self._actors.close()
        self._shared.close()
        await self._executor.__aexit__()

    def _keep(self, running: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.ensure_future(running))

    async def save(self, document: dict[str, Any]) -> str:
        """Store a workflow so that it can be run and called by its id; its hash."""
        key = content_hash(document)
        await self._bus.bucket("plans").put(key, encode(document))
        workflow = _id_of(document)
        now_ms = self._clock.now_ms()
        record = WorkflowRecord(
            workflow,
            TENANT,
            str(document.get("name") or workflow),
            [Version(1, key, now_ms)],
            now_ms,
            now_ms,
        )
        entry = workflow_record.encode(record)
        await self._bus.bucket("workflows").put(workflow_key(TENANT, workflow), entry)
        return key

    async def execute(self, document: dict[str, Any], items: list[Item]) -> History:
        """Run a saved document by hand until it ends, or until only a call could wake it."""
        now_ms = self._clock.now_ms()
        request = RunRequest(
            execution=new_id(now_ms),
            tenant=TENANT,
            workflow=_id_of(document),
            plan=content_hash(document),
            start="",
            mode="manual",
            items=items,
            received_ms=now_ms,
        )
        plan = compile_document(document, REGISTRY, timezone=self._timezone)
        history = History(core.new_state(plan, request, RESUME_URL))
        over = asyncio.Event()
        reader = JournalReader()

        def journalled(message: Message) -> None:
            record = reader.feed(message)
            for entry in record.entries if record else ():
                if isinstance(entry, Happened) and entry.execution == request.execution:
                    for event in entry.events:
                        history.add(event)
            if history.state.is_finished or history.state.waiting == "signal":
                over.set()

        following = self._bus.follow("EXEC", names.partition_all(REGION, 0), 1, journalled)
        await self._send(request)
        await over.wait()
        following.close()
        return history

    async def _send(self, request: RunRequest) -> None:
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def on_ack(ack: Ack | Exception) -> None:
            if isinstance(ack, Exception):
                stored.set_exception(ack)
            else:
                stored.set_result(None)

        self._bus.append(names.runs(REGION, 0), RUNS.encode([request]), on_ack)
        await stored


def _id_of(document: dict[str, Any]) -> str:
    """The id by which others call a document; a made-up one where it has none to speak of."""
    given = str(document.get("id") or "")
    return given if re.fullmatch(r"[-_a-zA-Z0-9]{1,100}", given) else "run"
