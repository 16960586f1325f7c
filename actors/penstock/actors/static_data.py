"""Keeps workflows' static data: from the journal into the bucket, the latest of each workflow.

The journal holds what is to be saved (`journal.Saved`), and a snapshot what waits to be saved while
it is taken, so a new owner saves whatever its own may not have; an entry that is older than the
bucket's is passed over, so that saving twice or late does no harm. Saving happens behind the
executions, which wait for none of it. Outages, a full bucket and other writers are waited out.
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
        self._waiting: dict[str, Saved] = {}
        self._saving: dict[str, asyncio.Task[None]] = {}

    def save(self, saved: Saved) -> None:
        """Store what an execution left behind, unless a later one is known."""
        key = workflow_key(saved.tenant, saved.workflow)
        waiting = self._waiting.get(key)
        if waiting is None or waiting.at_ms <= saved.at_ms:
            self._waiting[key] = saved
        if key not in self._saving:
            self._saving[key] = asyncio.ensure_future(self._save(key))

    def waiting(self) -> list[Saved]:
        """What the bucket may not have yet, for a snapshot."""
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
                    await self._store(key, latest)
                except WrongLastSequenceError:
                    continue  # somebody else saved meanwhile: look again
                except BusError:
                    await asyncio.sleep(RETRY_S)
                    continue
                if self._waiting[key] is latest:
                    del self._waiting[key]
        finally:
            self._saving.pop(key, None)

    async def _store(self, key: str, latest: Saved) -> None:
        frame = static_data.encode(StaticData(latest.at_ms, latest.data))
        entry = await self._bucket.get(key)
        if entry is None or entry.value is None:
            await self._bucket.create(key, frame)
            return
        try:
            known = static_data.decode(entry.value).at_ms
        except CodecError:
            known = 0
        if known <= latest.at_ms:
            await self._bucket.update(key, frame, entry.revision)
