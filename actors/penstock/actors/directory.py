"""The workflows that exist, as this host sees them: a watch of the `workflows` bucket.

Sub-workflows and error workflows are found here by id, or by the id that their document brought
along, so that what was imported together stays together. Schedules are armed when an activation is
seen here. The watch is renewed when it breaks; what changed meanwhile is told again.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple

from penstock.subjects.bus import Bus, KvEntry
from penstock.subjects.codec import CodecError
from penstock.subjects.errors import BusError
from penstock.subjects.workflows import WorkflowRecord, workflow_key, workflow_record

RETRY_S = 0.5

log = logging.getLogger("penstock.actors")


class Callee(NamedTuple):
    """A workflow that another one calls, and the hash of the version to run."""

    workflow: str
    plan: str


class Directory:
    """All workflow records. `on_change` hooks get each new or changed record, and (key, None)
    when one is deleted."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._records: dict[str, WorkflowRecord] = {}
        self._by_document_id: dict[str, set[str]] = {}
        self._hooks: list[Callable[[str, WorkflowRecord | None], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._is_complete = asyncio.Event()

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.ensure_future(self._watch())

    async def ready(self) -> None:
        """Wait until everything that was there has been told."""
        await self._is_complete.wait()

    def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()

    def on_change(self, hook: Callable[[str, WorkflowRecord | None], None]) -> None:
        """Tell `hook` what is there now, then every change."""
        self._hooks.append(hook)
        for key, record in self._records.items():
            hook(key, record)

    def remove_hook(self, hook: Callable[[str, WorkflowRecord | None], None]) -> None:
        """Tell `hook` nothing more, if it was told anything."""
        if hook in self._hooks:
            self._hooks.remove(hook)

    def get(self, tenant: str, workflow: str) -> WorkflowRecord | None:
        """The record of a workflow."""
        return self._records.get(workflow_key(tenant, workflow))

    def callee(self, tenant: str, named: str, *, is_manual: bool) -> Callee | None:
        """The workflow that a document names: by its id, else by the id in its own document (of
        several imports of one document the latest). `None` when there is no such workflow."""
        record = self.get(tenant, named) or self._imported_as(tenant, named)
        if record is None:
            return None
        return Callee(record.id, record.hash if is_manual else record.active_hash or record.hash)

    def _imported_as(self, tenant: str, document_id: str) -> WorkflowRecord | None:
        keys = self._by_document_id.get(workflow_key(tenant, document_id), ())
        records = [self._records[key] for key in keys]
        return max(records, key=lambda record: (record.created_ms, record.id), default=None)

    async def _watch(self) -> None:
        while True:
            try:
                async for entry in self._bus.bucket("workflows").watch():
                    if entry is None:
                        self._is_complete.set()
                    else:
                        self._take(entry)
            except BusError as error:
                log.warning("the watch of the workflow directory broke: %s", error)
            await asyncio.sleep(RETRY_S)

    def _take(self, entry: KvEntry) -> None:
        record: WorkflowRecord | None = None
        if entry.value is not None:
            try:
                record = workflow_record.decode(entry.value)
            except CodecError as error:
                log.error("workflow %s cannot be read: %s", entry.key, error)
                return
        self._forget(entry.key)
        if record is not None:
            self._learn(entry.key, record)
        for hook in tuple(self._hooks):
            hook(entry.key, record)

    def _learn(self, key: str, record: WorkflowRecord) -> None:
        self._records[key] = record
        if record.document_id:
            name = workflow_key(record.tenant, record.document_id)
            self._by_document_id.setdefault(name, set()).add(key)

    def _forget(self, key: str) -> None:
        record = self._records.pop(key, None)
        if record is not None and record.document_id:
            name = workflow_key(record.tenant, record.document_id)
            keys = self._by_document_id[name]
            keys.discard(key)
            if not keys:
                del self._by_document_id[name]
