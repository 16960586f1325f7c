"""Keeps workflows' static data: from the journal into the bucket, the latest of each workflow.

The journal holds what is to be saved (`journal.Saved`), and a snapshot what waits to be saved while
it is taken, so a new owner saves whatever the one before may not have. What is older than the
bucket's entry is passed over, so that saving twice or late does no harm. A workflow's executions
live in all partitions, whose hosts' clocks differ and are set back, so what is older is told by the
one thing that all of them share: the sequences of EXEC, in which their journals stand.

Saving happens behind the executions, which wait for none of it. Outages, a full bucket and other
writers are waited out.
"""

import asyncio

from penstock.actors.journal import Saved
from penstock.subjects.bus import Bus
from penstock.subjects.codec import CodecError
from penstock.subjects.errors import BusError, WrongLastSequenceError
from penstock.subjects.static_data import STATIC, StaticData, static_data
from penstock.subjects.workflows import workflow_key

RETRY_S = 0.2


class StaticDataStore:
    """The static data of one partition's executions, on its way into the bucket."""

    def __init__(self, bus: Bus) -> None:
        self._bucket = bus.bucket(STATIC)
        self._waiting: dict[str, tuple[int, Saved]] = {}
        self._saving: dict[str, asyncio.Task[None]] = {}

    def save(self, sequence: int, saved: Saved) -> None:
        """Store what an execution left behind, as the record at `sequence` says, unless something
        later is known."""
        key = workflow_key(saved.tenant, saved.workflow)
        if key not in self._waiting or self._waiting[key][0] <= sequence:
            self._waiting[key] = (sequence, saved)
        if key not in self._saving:
            self._saving[key] = asyncio.ensure_future(self._save(key))

    def waiting(self) -> list[tuple[int, Saved]]:
        """What the bucket may not have yet with its sequences, for a snapshot."""
        return list(self._waiting.values())

    def close(self) -> None:
        """Stop saving; the next owner goes on."""
        for task in self._saving.values():
            task.cancel()

    async def _save(self, key: str) -> None:
        try:
            while key in self._waiting:
                latest = self._waiting[key]
                try:
                    await self._store(key, *latest)
                except WrongLastSequenceError:
                    continue  # somebody else saved meanwhile: look again
                except BusError:
                    await asyncio.sleep(RETRY_S)
                    continue
                if self._waiting[key] is latest:
                    del self._waiting[key]
        finally:
            self._saving.pop(key, None)

    async def _store(self, key: str, sequence: int, saved: Saved) -> None:
        latest = StaticData(saved.at_ms, saved.data, sequence)
        frame = static_data.encode(latest)
        entry = await self._bucket.get(key)
        if entry is None or entry.value is None:
            await self._bucket.create(key, frame)
            return
        try:
            is_later = static_data.decode(entry.value).gives_way_to(latest)
        except CodecError:
            is_later = True
        if is_later:
            await self._bucket.update(key, frame, entry.revision)
