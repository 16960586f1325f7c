"""When a partition writes snapshots, and what of its streams may go afterwards.

A snapshot is due after so many transitions, or after a time with any. Trimming follows it: inputs
and journal are removed up to where both the snapshot and the history have them. While no history
has reported how far it is, everything stays.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple

from penstock.actors.shared import Shared
from penstock.actors.snapshot import Head, Rest, Snapshot, SnapshotStore, as_it_is_now, split
from penstock.actors.table import Table
from penstock.subjects import names
from penstock.subjects.errors import PenstockError

TRANSITIONS = 50_000
EARLY_S = 1.0
RETRY_S = 5.0

log = logging.getLogger("penstock.actors")


class Position(NamedTuple):
    """Where memory equals the journal."""

    epoch: int
    journal_seq: int
    input_seq: int
    done_seq: int


class Snapshotting:
    """The snapshots of one owned partition."""

    def __init__(
        self, shared: Shared, partition: int, *, table: Table, take_rest: Callable[[], Rest]
    ) -> None:
        self.store = SnapshotStore(shared.bus, shared.region, partition)
        self._shared = shared
        self._partition = partition
        self._table = table
        self._take_rest = take_rest
        self._writing: Snapshot | None = None
        self._rest = Rest()
        self._task: asyncio.Task[None] | None = None
        self._head: Head | None = None
        self._since = 0
        self._is_closed = False
        self._at_s = asyncio.get_running_loop().time()

    def before_change(self, execution: str) -> None:
        """An open execution is about to change."""
        if self._writing is not None:
            self._writing.before_change(execution)

    def is_due(self, now_s: float) -> bool:
        """Whether a snapshot should begin when memory equals the journal next."""
        if self._task is not None or not self._since:
            return False
        return self._since >= TRANSITIONS or now_s - self._at_s >= self._shared.snapshot_s

    def is_early_due(self, now_s: float) -> bool:
        """Whether one should begin for the sake of room."""
        return self._task is None and self._since > 0 and now_s - self._at_s >= EARLY_S

    async def trim_again(self) -> None:
        """Remove what the history has got to since the last snapshot, and that snapshot has.

        Who has written none goes by the one in force. That may be a host that owns nothing yet,
        or no more: whatever is in force later has all that this one has."""
        if self._task is None:
            head = self._head or await self.store.in_force()
            if head is not None:
                await self._trim(head)

    def count(self, transitions: int) -> None:
        """So many transitions more are in the journal."""
        self._since += transitions

    def begin(self, position: Position) -> None:
        """Write a snapshot in the background. Memory must equal the journal at `position` now."""
        assert self._task is None
        self._task = asyncio.ensure_future(self._write(position))
        # Actors hand out what is theirs, and change it while the snapshot is being written.
        self._rest, parts = split(as_it_is_now(self._take_rest()))
        self._writing = Snapshot(self._table, parts)

    async def save_now(self, position: Position) -> None:
        """Write a snapshot and wait for it; nothing else may be going on."""
        await self.idle()
        if self._is_closed:
            return  # meanwhile: nobody would stop what began now
        self.begin(position)
        await self.idle()

    async def idle(self) -> None:
        """Return when no snapshot is being written, and nothing trimmed by it."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    def close(self) -> None:
        """Stop writing; what is incomplete has no head and does not count."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()

    async def _write(self, position: Position) -> None:
        loop = asyncio.get_running_loop()
        since, self._since = self._since, 0
        self._at_s = loop.time()
        rest = self._rest
        writing = self._writing
        assert writing is not None

        def finish(generation: str, chunks: int) -> Head:
            return Head(generation, chunks, *position, rest)

        try:
            head = await self.store.save(writing, finish)
            self._writing = None
            self._head = head
            await self._trim(head)
        except PenstockError as error:
            log.warning("partition %d: no snapshot now: %s", self._partition, error)
            self._since += since
            self._at_s = loop.time() - self._shared.snapshot_s + RETRY_S
        finally:
            self._writing = None
            self._task = None

    async def _trim(self, head: Head) -> None:
        """Remove what neither a new owner nor the history will read again."""
        history = self._shared.marks.history(self._partition)
        if history is None:
            return
        region, number = self._shared.region, self._partition
        inputs_before = min(head.input_seq, history) + 1
        # The last record must stay: it carries the sequence that fences.
        records_before = min(head.journal_seq, history + 1)
        for subject, before in (
            (names.runs(region, number), inputs_before),
            (names.signals(region, number), inputs_before),
            (names.journal(region, number), records_before),
        ):
            if before > 1:  # to a broker, below the first means everything
                await self._shared.bus.purge("EXEC", subject, before)
