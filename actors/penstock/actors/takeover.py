"""Taking a partition over: open an epoch, load the snapshot, replay the journal after it.

The epoch record goes first, by compare-and-set: from then on the owner before cannot append, so
what is read afterwards is all there will be. Replaying applies events; it runs no node and asks
nobody. Executions that ended are dropped unbuilt, and those in long waits stay bytes, so the
cost is that of what is open.
"""

import asyncio
import logging
from typing import Any, NamedTuple

import msgspec

from penstock.actors.execution import core
from penstock.actors.execution.events import Event, Finished, Started
from penstock.actors.execution.state import State
from penstock.actors.journal import (
    RECORDS,
    Answered,
    Entry,
    Happened,
    Held,
    JournalReader,
    Record,
    Saved,
)
from penstock.actors.plans import Plans
from penstock.actors.snapshot import Chunk, Head, Rest, SnapshotStore
from penstock.actors.table import Kept, Waiting, unpack
from penstock.subjects import names
from penstock.subjects.appending import appended
from penstock.subjects.bus import Bus, Message
from penstock.subjects.errors import BusError, PenstockError, WrongLastSequenceError
from penstock.subjects.messages import Reply, RunRequest
from penstock.workflow.plan import Plan
from penstock.workflow.scope import ResumeUrl

SLICE = 500
STALL_S = 5.0
TORN = "Records of this execution are lost from the journal"
_REMEDY = (
    "restore the broker's data as it was; to go on without what is lost, where steps may be done"
    " twice, set PENSTOCK_ACCEPTS_JOURNAL_GAP=true for one start"
)

log = logging.getLogger("penstock.actors")


class Opened(NamedTuple):
    """An epoch that was opened: its record, and the sequence at which it stands."""

    record: Record
    sequence: int


class Grown(msgspec.Struct, gc=False):
    """An open execution as replay finds it: where it began, and what happened since."""

    base: Kept | RunRequest
    events: list[Event]


class Replayed:
    """The partition as the journal tells it."""

    def __init__(
        self, head: Head | None, chunks: list[Chunk], *, accepts_gap: bool = False
    ) -> None:
        self.rest = head.rest if head else Rest()
        self.done_seq = head.done_seq if head else 0
        self.reader = JournalReader(
            input_seq=head.input_seq if head else 0,
            record_seq=head.journal_seq if head else 0,
            beyond=self.rest.beyond,
            direct=self.rest.direct,
            direct_taken=self.rest.direct_beyond,
        )
        self.kept = {kept.execution: kept for chunk in chunks for kept in chunk.kept}
        self.held = {
            waiting.request.execution: waiting for chunk in chunks for waiting in chunk.held
        }
        self.grown: dict[str, Grown] = {}
        self.ended = list(self.rest.ended)
        self.replies: list[tuple[int, str, str, Reply]] = []
        self.saved = list(self.rest.static)
        """Static data that may be in no bucket, with the sequences of their records."""
        self.others: list[Entry] = []
        """Entries of other actors than executions, in order."""
        self.count = 0
        self.torn: set[str] = set()
        """Executions whose beginning is lost; there are some only where a gap is accepted."""
        self.accepts_gap = accepts_gap

    def feed(self, message: Message) -> None:
        """Take one message of `exec.<region>.<p>.>`; `PenstockError` where records are lost."""
        record = self.reader.feed(message)
        if self.reader.gap and not self.accepts_gap:
            raise PenstockError(f"the journal has a gap: {self.reader.gap}", remedy=_REMEDY)
        if record is None:
            return
        self.done_seq = record.done_seq
        for entry in record.entries:
            self.count += 1
            if type(entry) is Happened:
                self._happened(entry)
            elif type(entry) is Held:
                assert entry.request is not None
                self.held[entry.execution] = Waiting(entry.request, entry.reason)
            elif type(entry) is Answered:
                self._answered(record, entry)
            elif type(entry) is Saved:
                self.saved.append((message.sequence, entry))
            else:
                self.others.append(entry)

    def _happened(self, entry: Happened) -> None:
        execution, events = entry.execution, entry.events
        if type(events[-1]) is Finished:
            self.grown.pop(execution, None)
            self.torn.discard(execution)
            self.kept.pop(execution, None)
            self.held.pop(execution, None)
            self.ended.append(execution)
            return
        first = events[0]
        if type(first) is Started:
            assert first.request is not None
            self.held.pop(execution, None)
            self.grown[execution] = Grown(first.request, events)
            return
        grown = self.grown.get(execution)
        if grown is None:
            if self.reader.gap and execution not in self.kept:
                self.torn.add(execution)
                self.held.pop(execution, None)
                return
            self.grown[execution] = Grown(self.kept.pop(execution), events)
        else:
            grown.events.extend(events)

    def _answered(self, record: Record, entry: Answered) -> None:
        response = entry.response
        reply = Reply(
            entry.to.request,
            entry.execution,
            response.status,
            response.headers,
            response.body,
            response.blob,
        )
        self.replies.append((record.now_ms, entry.execution, entry.to.gateway, reply))


class Takeover:
    """The steps of taking over, for one partition. `accepts_gap`: also where records are lost."""

    def __init__(self, bus: Bus, region: str, partition: int, *, accepts_gap: bool = False) -> None:
        self._bus = bus
        self._accepts_gap = accepts_gap
        self._journal = names.journal(region, partition)
        self._all = names.partition_all(region, partition)

    async def open_epoch(self, owner: str, now_ms: int) -> Opened:
        """Append the epoch's record. `WrongLastSequenceError`: somebody else was faster."""
        last = await self._bus.last("EXEC", self._journal)
        before: Record | None = RECORDS.decode(last.payload) if last else None
        record = Record(
            owner,
            before.epoch + 1 if before else 1,
            0,
            max(now_ms, before.now_ms) if before else now_ms,
            before.input_seq if before else 0,
            [],
            before.done_seq if before else 0,
        )
        expected = last.sequence if last else 0
        frame = RECORDS.encode(record)
        try:
            ack = await appended(self._bus, self._journal, frame, expected_last=expected)
            return Opened(record, ack.sequence)
        except BusError:
            stored = await self._bus.last("EXEC", self._journal)
            if stored is not None and stored.payload == frame:
                return Opened(record, stored.sequence)  # only its acknowledgement was lost
            if stored is not None and stored.sequence != expected:
                raise WrongLastSequenceError("another owner took the partition") from None
            raise

    async def replay_opened(self, store: SnapshotStore, opened: Opened) -> Replayed:
        """`replay` what stood before the epoch. `WrongLastSequenceError`: another has begun."""
        try:
            return await self.replay(store, opened.sequence)
        except BusError:
            raise
        except Exception:
            # Whoever was frozen in between may find trimmed what it had yet to read.
            last = await self._bus.last("EXEC", self._journal)
            if last is not None and RECORDS.decode(last.payload).epoch != opened.record.epoch:
                raise WrongLastSequenceError("another owner took the partition") from None
            raise

    async def replay(self, store: SnapshotStore, up_to: int) -> Replayed:
        """The partition's state after the record at `up_to`. `PenstockError` where records between
        are lost, unless that is accepted: then as much of it as can be known."""
        head, chunks = await store.load() or (None, [])
        replayed = Replayed(head, chunks, accepts_gap=self._accepts_gap)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        heard = loop.time()

        def on_message(message: Message) -> None:
            nonlocal heard
            heard = loop.time()
            if done.done():
                return
            try:
                if message.sequence <= up_to:
                    replayed.feed(message)
            except Exception as error:
                done.set_exception(error)
                return
            if message.sequence >= up_to:
                done.set_result(None)

        follow = self._bus.follow("EXEC", self._all, replayed.reader.resume_from, on_message)
        try:
            while not done.done():
                await asyncio.wait((done,), timeout=STALL_S)
                if not done.done() and loop.time() - heard > STALL_S and self._bus.is_connected:
                    raise BusError(f"reading {self._all} does not get on")
            done.result()
        finally:
            follow.close()
        if replayed.reader.gap:
            log.error("%s has a gap: %s; going on", self._journal, replayed.reader.gap)
        return replayed


async def rebuild(
    replayed: Replayed, plans: Plans, resume_url: ResumeUrl
) -> tuple[list[State], list[tuple[str, str]]]:
    """Build the executions that are not idle: (states, [(execution, why it cannot be built)]).

    Idle ones stay in `replayed.kept`.
    """
    states: list[State] = []
    lost = [(execution, TORN) for execution in replayed.torn]
    busy = [kept for kept in replayed.kept.values() if not kept.is_idle]
    for kept in busy:
        del replayed.kept[kept.execution]
        replayed.grown[kept.execution] = Grown(kept, [])
    for number, (execution, grown) in enumerate(replayed.grown.items()):
        if number % SLICE == SLICE - 1:
            await asyncio.sleep(0)
        plan = plans.get(grown.base.plan) or await plans.load(grown.base.plan)
        if isinstance(plan, str):
            lost.append((execution, plan))
            continue
        try:
            states.append(build(plan, grown, resume_url))
        except Exception:
            if not replayed.reader.gap:
                raise
            lost.append((execution, TORN))
    return states, lost


def build(plan: Plan, grown: Grown, resume_url: ResumeUrl) -> State:
    """The execution after its events."""
    base: Any = grown.base
    state = unpack(plan, base) if isinstance(base, Kept) else core.new_state(plan, base, resume_url)
    for event in grown.events:
        core.apply(state, event)
    return state
