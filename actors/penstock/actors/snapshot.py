"""Snapshots: the state of a partition at one position of its journal, so that a new owner replays
little and old journal can go.

Begun at a moment when memory equals the journal, and then written in slices while work goes on:
an execution that is about to change and was not written yet is written first (`before_change`).
Chunks come first and the head that names them last, by compare-and-set, so that a snapshot is
there wholly or not at all, and an owner that was fenced meanwhile cannot replace a newer one.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from penstock.actors.journal import Dealt, Saved
from penstock.actors.table import Kept, Table, Waiting, pack
from penstock.subjects import names
from penstock.subjects.appending import appended
from penstock.subjects.bus import Bus, Message
from penstock.subjects.codec import Codec
from penstock.subjects.crash_points import crash_point
from penstock.subjects.errors import PenstockError, WrongLastSequenceError
from penstock.subjects.messages import Reply

SLICE = 200
CHUNK_BYTES = 512 * 1024
PIECE_BYTES = 8 * 1024 * 1024
"""An execution larger than that is cut in pieces: it may be larger than any message."""
IDS = 10_000
ACTORS = 100
LOAD_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8)


class Rest(msgspec.Struct, array_like=True, gc=False):
    """What a partition has beside its executions, or a part of that. `beyond`: started or held
    executions whose requests stand after `input_seq`. `direct` and `direct_beyond`: the same of
    those that came straight from gateways (see `actors.direct`). `static`: still to be saved."""

    ended: list[str] = []
    beyond: list[str] = []
    replies: list[tuple[str, str, Reply]] = []
    actors: dict[str, list[Any]] = {}
    direct: dict[str, Dealt] = {}
    direct_beyond: dict[str, tuple[str, int]] = {}
    static: list[tuple[int, Saved]] = []


class Chunk(msgspec.Struct, array_like=True, gc=False):
    """Some of the executions, and parts of a `Rest` that the head has no room for."""

    kept: list[Kept] = []
    held: list[Waiting] = []
    rests: list[Rest] = []


class Head(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The newest complete snapshot: where its chunks are, and the positions it stands for.
    `epoch`: of the owner under whom it is in force."""

    generation: str
    chunks: int
    epoch: int
    journal_seq: int
    input_seq: int
    done_seq: int
    rest: Rest


HEAD: Codec[Head] = Codec(Head)
CHUNK: Codec[Chunk] = Codec(Chunk)
T = TypeVar("T")

_encode = msgspec.msgpack.Encoder().encode
_decode_rest = msgspec.msgpack.Decoder(Rest).decode


class Snapshot:
    """One snapshot being written."""

    def __init__(self, table: Table, rest: Sequence[Rest] = ()) -> None:
        self._table = table
        self._rest = rest
        self._pending = dict.fromkeys(table.active)
        self._kept = list(table.kept.values())
        self._held = [msgspec.structs.replace(waiting) for waiting in table.held.values()]
        self._early: list[Kept] = []

    def before_change(self, execution: str) -> None:
        """Write `execution` as it is now if that has not been done."""
        if execution in self._pending:
            del self._pending[execution]
            self._early.append(pack(self._table.active[execution]))

    def slices(self) -> Iterator[Chunk]:
        """The executions in small parts; others may work between them."""
        for rest in self._rest:
            yield Chunk(rests=[rest])
        yield Chunk([], self._held)
        kept = self._kept
        for first in range(0, len(kept), 10 * SLICE):
            yield Chunk(kept[first : first + 10 * SLICE])
        while self._pending or self._early:
            part, self._early = self._early, []
            while self._pending and len(part) < SLICE:
                execution, _ = self._pending.popitem()
                part.append(pack(self._table.active[execution]))
            yield Chunk(part)


def as_it_is_now(rest: Rest) -> Rest:
    """A copy of `rest` that shares nothing with the actors it is of."""
    return _decode_rest(_encode(rest))


def split(rest: Rest) -> tuple[Rest, list[Rest]]:
    """What the head holds of `rest`, and what chunks must hold since it is too much."""
    if len(_encode(rest)) <= CHUNK_BYTES:
        return rest, []
    parts = [Rest(ended=ids) for ids in _slices(rest.ended, IDS)]
    parts += [Rest(beyond=ids) for ids in _slices(rest.beyond, IDS)]
    parts += [Rest(replies=[reply]) for reply in rest.replies]
    for name, dumped in rest.actors.items():
        parts += [Rest(actors={name: some}) for some in _slices(dumped, ACTORS)]
    direct = list(rest.direct_beyond.items())
    parts += [Rest(direct_beyond=dict(some)) for some in _slices(direct, IDS)]
    parts += [Rest(static=[saved]) for saved in rest.static]
    return Rest(direct=rest.direct), parts


def _put_back(rest: Rest, parts: list[Rest]) -> None:
    for part in parts:
        rest.ended += part.ended
        rest.beyond += part.beyond
        rest.replies += part.replies
        for name, dumped in part.actors.items():
            rest.actors.setdefault(name, []).extend(dumped)
        rest.direct_beyond |= part.direct_beyond
        rest.static += part.static


def _slices(whole: list[T], size: int) -> Iterator[list[T]]:
    return (whole[first : first + size] for first in range(0, len(whole), size))


def _pieces(kept: Kept) -> Iterator[Kept]:
    """`kept`, or several of it with parts of its state; all but the last are `is_cut`."""
    state = kept.state
    if len(state) <= PIECE_BYTES:
        yield kept
        return
    for first in range(0, len(state), PIECE_BYTES):
        end = first + PIECE_BYTES
        yield msgspec.structs.replace(kept, state=state[first:end], is_cut=end < len(state))


def _join_pieces(chunks: list[Chunk]) -> None:
    """Make the executions whole again whose pieces follow each other in `chunks`."""
    states: list[bytes] = []
    for chunk in chunks:
        whole = []
        for kept in chunk.kept:
            states.append(kept.state)
            if not kept.is_cut:
                kept.state = states[0] if len(states) == 1 else b"".join(states)
                whole.append(kept)
                states = []
        chunk.kept = whole


class Gathered:
    """Parts on their way into chunks of about `CHUNK_BYTES`. Only what is larger by itself makes a
    larger chunk, since a message holds no more than so much."""

    def __init__(self) -> None:
        self.chunk = Chunk([], [], [])
        self._size = 0

    def add(self, part: Chunk) -> Iterator[Chunk]:
        """Take a part; the chunks that are full."""
        for kept in part.kept:
            for piece in _pieces(kept):
                yield from self._make_room(len(piece.state) + 200)
                self.chunk.kept.append(piece)
        for waiting in part.held:
            yield from self._make_room(len(_encode(waiting)))
            self.chunk.held.append(waiting)
        for rest in part.rests:
            yield from self._make_room(len(_encode(rest)))
            self.chunk.rests.append(rest)

    def _make_room(self, size: int) -> Iterator[Chunk]:
        if self._size and self._size + size > CHUNK_BYTES:
            full, self.chunk, self._size = self.chunk, Chunk([], [], []), 0
            yield full
        self._size += size


def _lost(subject: str, head: Head, chunks: Sequence[Message | None]) -> PenstockError:
    missing = sum(chunk is None for chunk in chunks)
    return PenstockError(
        f"the snapshot at {subject} lacks {missing} of its {head.chunks} chunks",
        remedy="restore the broker's data: what the snapshot held stands nowhere else",
    )


class SnapshotStore:
    """The snapshots of one partition in the SNAP stream."""

    def __init__(self, bus: Bus, region: str, partition: int) -> None:
        self._bus = bus
        self._region = region
        self._partition = partition
        self._head_subject = names.snapshot_head(region, partition)
        self._epoch = 0
        self._head_sequence = 0

    async def fence(self, epoch: int) -> None:
        """Put the snapshot in force under `epoch`, an empty one where there is none: no owner of
        an earlier epoch can replace it any more, and trim what is about to be replayed."""
        message = await self._bus.last("SNAP", self._head_subject)
        head = Head("", 0, 0, 0, 0, 0, Rest()) if message is None else HEAD.decode(message.payload)
        self._epoch = epoch
        self._check_epoch(head)
        frame = HEAD.encode(msgspec.structs.replace(head, epoch=epoch))
        await self._append(self._head_subject, frame, message.sequence if message else 0)

    async def in_force(self) -> Head | None:
        """The head of the newest snapshot, alone; None where there is none."""
        message = await self._bus.last("SNAP", self._head_subject)
        return None if message is None else HEAD.decode(message.payload)

    async def load(self) -> tuple[Head, list[Chunk]] | None:
        """The newest snapshot. Chunks that a newer snapshot removed meanwhile: tried again.
        `PenstockError` when one stays away: it is lost, and with it what was trimmed since;
        `WrongLastSequenceError` when it is of an owner after us, and so beyond what we may own."""
        pauses_s = iter(LOAD_PAUSES_S)
        while True:
            message = await self._bus.last("SNAP", self._head_subject)
            if message is None:
                self._head_sequence = 0
                return None
            head: Head = HEAD.decode(message.payload)
            self._check_epoch(head)
            chunks = await asyncio.gather(
                *(
                    self._bus.last("SNAP", self._chunk_subject(head.generation, number))
                    for number in range(head.chunks)
                )
            )
            if all(chunk is not None for chunk in chunks):
                break
            pause_s = next(pauses_s, None)
            if pause_s is None:
                raise _lost(self._head_subject, head, chunks)
            await asyncio.sleep(pause_s)
        self._head_sequence = message.sequence
        read = [CHUNK.decode(chunk.payload) for chunk in chunks if chunk is not None]
        for chunk in read:
            _put_back(head.rest, chunk.rests)
        _join_pieces(read)
        return head, read

    def _check_epoch(self, head: Head) -> None:
        if self._epoch and head.epoch > self._epoch:
            raise WrongLastSequenceError("another owner took the partition")

    async def save(self, snapshot: Snapshot, finish: Callable[[str, int], Head]) -> Head:
        """Write all slices, then the head that `finish(generation, chunks)` makes; then remove
        what is older: the one before, and what others left that never had a head. `BusError`
        leaves the one before in force."""
        generation = secrets.token_hex(4)
        count = first = 0
        gathered = Gathered()
        for part in snapshot.slices():
            for full in gathered.add(part):
                frame = CHUNK.encode(full)
                sequence = await self._append(self._chunk_subject(generation, count), frame)
                first = first or sequence
                count += 1
            await asyncio.sleep(0)
        frame = CHUNK.encode(gathered.chunk)
        sequence = await self._append(self._chunk_subject(generation, count), frame)
        crash_point("snapshot")
        head = finish(generation, count + 1)
        late = await self._put_head(head)
        if late is not None:
            await self._remove(late)
        everything = names.snapshot_all(self._region, self._partition)
        await self._bus.purge("SNAP", everything, first or sequence)
        return head

    async def _put_head(self, head: Head) -> Head | None:
        """Put `head` in force, in the place of the one we know of, or of one that we do not: ours,
        if only its acknowledgement was lost, or one that an owner before us wrote late."""
        frame = HEAD.encode(head)
        try:
            self._head_sequence = await self._append(self._head_subject, frame, self._head_sequence)
        except WrongLastSequenceError:
            message = await self._bus.last("SNAP", self._head_subject)
            stored: Head | None = HEAD.decode(message.payload) if message else None
            if message is None or stored is None or stored.epoch > head.epoch:
                raise
            self._head_sequence = message.sequence
            self._head_sequence = await self._append(self._head_subject, frame, message.sequence)
            return stored
        return None

    async def _remove(self, head: Head) -> None:
        for number in range(head.chunks):
            await self._bus.purge("SNAP", self._chunk_subject(head.generation, number))

    def _chunk_subject(self, generation: str, number: int) -> str:
        return names.snapshot_chunk(self._region, self._partition, generation, number)

    async def _append(self, subject: str, frame: bytes, expected_last: int | None = None) -> int:
        ack = await appended(self._bus, subject, frame, expected_last=expected_last)
        return ack.sequence
