"""The workflows that exist, as this host sees them: a watch of the `workflows` bucket.

Sub-workflows and error workflows are found here by id, and schedules are armed when an activation
is seen here. The watch is renewed when it breaks; what changed meanwhile is told again.
"""

import asyncio
import logging
from collections.abc import Callable

from penstock.subjects.bus import Bus, KvEntry
from penstock.subjects.codec import CodecError
from penstock.subjects.errors import BusError
from penstock.subjects.workflows import WorkflowRecord, workflow_key, workflow_record

RETRY_S = 0.5

log = logging.getLogger("penstock.actors")


class Directory:
    """All workflow records. `on_change` hooks get each new or changed record, and (key, None)
    when one is deleted."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._records: dict[str, WorkflowRecord] = {}
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

    def version_to_run(self, tenant: str, workflow: str, *, is_manual: bool) -> str:
        """The hash of the version that a caller runs; empty when there is no such workflow."""
        record = self.get(tenant, workflow)
        if record is None:
            return ""
        return record.hash if is_manual else record.active_hash or record.hash

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
        if record is None:
            self._records.pop(entry.key, None)
        else:
            self._records[entry.key] = record
        for hook in tuple(self._hooks):
            hook(entry.key, record)
