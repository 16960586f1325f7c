"""The append of a partition: one in flight, fenced, and certain about what happened to it.

Every append names the sequence of the record before it, so of two owners only one can write. An
acknowledgement can be lost, and then the broker refuses the second try although the first was
stored: so the last record is read and compared. Ours (owner and index) means stored; the
sequence we expected means not stored, send again; anything else means that somebody else owns
the partition now.

An outage or a full stream is waited out here, for as long as it takes: nothing has happened yet,
and the owner handles no input while an append is open.
"""

import asyncio
from collections.abc import Callable
from enum import Enum

from penstock.actors.journal import RECORDS, Record
from penstock.subjects.bus import Ack, Bus
from penstock.subjects.codec import CodecError
from penstock.subjects.crash_points import crash_point
from penstock.subjects.errors import BusError

RETRY_FIRST_S = 0.05
RETRY_MAX_S = 1.0


class Verdict(Enum):
    """What the last record in the stream says about an append that was not acknowledged."""

    STORED = "stored"
    ABSENT = "absent"
    FENCED = "fenced"


class Committer:
    """Appends the records of one epoch. `on_fenced` is called at most once, then never again
    anything."""

    def __init__(self, bus: Bus, subject: str, owner: str) -> None:
        self.on_fenced: Callable[[], None] = lambda: None
        self.sequence = 0
        """Of the last record that is known to be stored."""
        self.index = 0
        self.confirmed_s = 0.0
        """When it was known last, by the event loop's clock, that nobody else has written."""
        self.waiting_reason = ""
        """Why an append does not get through, empty when all is well."""
        self._bus = bus
        self._subject = subject
        self._owner = owner
        self._open: tuple[bytes, Callable[[], None]] | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._settling: asyncio.Task[None] | None = None
        self._is_closed = False
        self._delay_s = RETRY_FIRST_S

    @property
    def is_busy(self) -> bool:
        """An append is in flight: the owner's memory is ahead of the journal."""
        return self._open is not None

    def begin(self, sequence: int) -> None:
        """Start an epoch whose opening record has `sequence`."""
        self.sequence = sequence
        self.index = 0
        self.confirmed_s = asyncio.get_running_loop().time()

    def append(self, frame: bytes, on_stored: Callable[[], None]) -> None:
        """Append the encoded record number `index + 1`; `on_stored` when it is durable."""
        assert self._open is None, "one append in flight"
        self.index += 1
        self._open = (frame, on_stored)
        self._idle.clear()
        crash_point("append")
        self._send()

    async def confirm(self) -> None:
        """Look whether the journal still ends with our record; if not, `on_fenced`. Who appends
        learns it by that; an owner that has nothing to append must look."""
        sequence, now_s = self.sequence, asyncio.get_running_loop().time()
        verdict, _ = await self._look()
        if self._is_closed or self.is_busy or sequence != self.sequence or verdict is None:
            return
        if verdict is Verdict.FENCED:
            self._is_closed = True
            self.on_fenced()
        else:
            self.confirmed_s = now_s

    async def idle(self) -> None:
        """Return when no append is in flight and what follows from the last one is done."""
        await self._idle.wait()

    def close(self) -> None:
        """Call nobody any more."""
        self._is_closed = True
        if self._settling is not None:
            self._settling.cancel()

    def _send(self) -> None:
        assert self._open is not None
        index = self.index

        def on_ack(result: Ack | Exception) -> None:
            if self._is_closed or self._open is None or index != self.index:
                return  # a late word about something that was settled by looking
            if isinstance(result, Ack):
                self._stored(result.sequence)
            elif self._settling is None:
                self.waiting_reason = str(result) or type(result).__name__
                self._settling = asyncio.ensure_future(self._settle())

        try:
            self._bus.append(self._subject, self._open[0], on_ack, expected_last=self.sequence)
        except BusError as error:
            on_ack(error)

    def _stored(self, sequence: int) -> None:
        assert self._open is not None
        crash_point("acknowledge")
        on_stored = self._open[1]
        self._open = None
        self.sequence = sequence
        self.confirmed_s = asyncio.get_running_loop().time()
        self.waiting_reason = ""
        self._delay_s = RETRY_FIRST_S
        on_stored()
        if self._open is None:
            self._idle.set()

    async def _settle(self) -> None:
        """Find out whether the open append was stored; send it again when it was not."""
        while True:
            await asyncio.sleep(self._delay_s)
            self._delay_s = min(2 * self._delay_s, RETRY_MAX_S)
            verdict, sequence = await self._look()
            if verdict is not None:
                break
        self._settling = None
        if verdict is Verdict.STORED:
            self._stored(sequence)
        elif verdict is Verdict.ABSENT:
            self._send()
        else:
            self._is_closed = True
            self.on_fenced()

    async def _look(self) -> tuple[Verdict | None, int]:
        try:
            last = await self._bus.last("EXEC", self._subject)
        except BusError:
            return None, 0
        if last is None:
            return (Verdict.ABSENT if self.sequence == 0 else Verdict.FENCED), 0
        if last.sequence == self.sequence:
            return Verdict.ABSENT, last.sequence
        try:
            record: Record = RECORDS.decode(last.payload)
        except CodecError:
            return Verdict.FENCED, last.sequence  # of a newer version, so not ours
        if record.owner == self._owner and record.index == self.index:
            return Verdict.STORED, last.sequence
        return Verdict.FENCED, last.sequence
