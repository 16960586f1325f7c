"""The fold: messages of EXEC in, rows and bodies out. Pure: no clock, no I/O.

It follows all partitions of a region at once. Run requests wait in a window per partition until a
record starts or holds them, or passes them; see `actors.journal` for the rule. Executions that
are not over are kept in memory as their rows, so a batch is folded without asking the database.

Two numbers say how far it has got: everything up to `position` is in the batches taken, and a
successor must read again from `read_from`, the oldest request that still waits, or its record
would find nothing to join. Records that it reads again this way only empty the windows.

What nobody can read is passed over. A record that only this program is too old for is not: what
is behind `position` may be trimmed, so passing it over would lose its history for good.
"""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from penstock.actors.continuity import Continuity
from penstock.actors.history import shapes
from penstock.actors.history.rows import Row, day_of
from penstock.subjects.bus import Message
from penstock.subjects.codec import Codec, CodecError, NewerVersionError
from penstock.subjects.errors import ErrorInfo

log = logging.getLogger("penstock.projector")

_RECORDS: Codec[shapes.Record] = Codec(shapes.Record)
_REQUESTS: Codec[list[shapes.Request]] = Codec(list[shapes.Request])
_RAW_REQUESTS: Codec[list[msgspec.Raw]] = Codec(list[msgspec.Raw])
_decode_events = msgspec.msgpack.Decoder(list[shapes.Event]).decode
_encode_error = msgspec.json.Encoder().encode
_NIL = msgspec.Raw(b"\xc0")


class _Waiting(NamedTuple):
    sequence: int
    request: shapes.Request
    raw: msgspec.Raw


class Body:
    """What a batch adds to an execution's body: its request (once) and arrays of events."""

    __slots__ = ("arrays", "request")

    def __init__(self) -> None:
        self.request = _NIL
        self.arrays: list[msgspec.Raw] = []

    def encode(self) -> bytes:
        """A msgpack array: the request or nil, and an array of arrays of events."""
        head = b"\xdd" + len(self.arrays).to_bytes(4, "big")
        return b"".join((b"\x92", self.request, head, *self.arrays))


class Batch(NamedTuple):
    """What to store in one transaction. `floors`: by partition, for those that had messages, the
    sequence up to which nothing is needed any more once this is stored. `lost`: what will be
    missing, as sentences; true only if this is stored, since a projector that another has
    overtaken may read what has been trimmed."""

    rows: list[Row]
    bodies: dict[str, Body]
    position: int
    read_from: int
    floors: dict[str, int]
    lost: list[str]


class Fold:
    """See the module's text. `open_rows` are the executions that the database holds as not over."""

    def __init__(self, position: int, open_rows: dict[str, Row]) -> None:
        self.position = position
        self.open = open_rows
        self._windows: dict[str, dict[str, _Waiting]] = {}
        self._changed: dict[str, Row] = {}
        self._bodies: dict[str, Body] = {}
        self._touched: set[str] = set()
        self._lost: list[str] = []
        self._continuities: dict[str, Continuity] = {}

    def feed(self, message: Message) -> None:
        """Take in the next message of the stream; `NewerVersionError` when it is a record of a
        later version, which leaves the fold as it was before."""
        self._take_in(message, is_known=message.sequence <= self.position)
        self.position = max(self.position, message.sequence)

    def _take_in(self, message: Message, *, is_known: bool) -> None:
        _, _, partition, kind = (*message.subject.split(".", 3), "", "", "")[:4]
        if not partition.isdigit():
            return
        window = self._windows.setdefault(partition, {})
        self._touched.add(partition)
        try:
            if kind == "journal":
                self._record(window, message, is_known=is_known)
                if not window:
                    self._windows[partition] = {}  # a dict emptied from its front is slow to scan
            elif kind == "in.run":
                self._requests(window, message)
        except (CodecError, msgspec.DecodeError) as error:
            if kind == "journal" and isinstance(error, NewerVersionError):
                raise
            # Inputs like this the owner puts into DEAD; a record like this cannot have been read
            # by any owner either. Stopping here would keep all else from being seen.
            log.exception("message %d of EXEC cannot be read", message.sequence)

    def take(self) -> Batch:
        """What has changed since the last batch. The rows are the fold's own: store them before
        feeding more."""
        firsts = {p: next(iter(w.values())).sequence for p, w in self._windows.items() if w}
        read_from = min(firsts.values(), default=self.position + 1)
        floors = {p: firsts.get(p, self.position + 1) - 1 for p in self._touched}
        rows = list(self._changed.values())
        batch = Batch(rows, self._bodies, self.position, read_from, floors, self._lost)
        self._changed, self._bodies, self._touched, self._lost = {}, {}, set(), []
        return batch

    @property
    def changed(self) -> int:
        """How many executions the next batch holds."""
        return len(self._changed)

    def _requests(self, window: dict[str, _Waiting], message: Message) -> None:
        requests = _REQUESTS.decode(message.payload)
        raws = _RAW_REQUESTS.decode(message.payload)
        for request, raw in zip(requests, raws, strict=True):
            window.setdefault(request.execution, _Waiting(message.sequence, request, raw))

    def _record(self, window: dict[str, _Waiting], message: Message, *, is_known: bool) -> None:
        record = _RECORDS.decode(message.payload)
        partition = message.subject.split(".", 3)[2]
        gap = self._continuities.setdefault(partition, Continuity()).gap(record)
        if gap and not is_known:
            self._lost.append(f"the journal of partition {partition} has a gap: {gap}")
        for entry in record.entries:
            if type(entry) is shapes.Happened:
                if is_known:
                    window.pop(entry.execution, None)
                else:
                    self._happened(window, entry)
            elif type(entry) is shapes.Held:
                waiting = window.pop(entry.execution, None)
                if not is_known:
                    self._held(entry, waiting)
        passed = []
        for execution, waiting in window.items():
            if waiting.sequence > record.input_seq:
                break
            passed.append(execution)
        for execution in passed:
            del window[execution]

    def _happened(self, window: dict[str, _Waiting], entry: shapes.Happened) -> None:
        events = _decode_events(entry.events)
        row = self.open.get(entry.execution)
        body = self._bodies.get(entry.execution) or Body()
        first = events[0]
        if type(first) is shapes.Started:
            request = first.request
            if request is None:
                waiting = window.pop(entry.execution, None)
                if waiting is None:
                    self._lost.append(f"the run request of {entry.execution} is gone from EXEC")
                    return
                request, body.request = waiting.request, waiting.raw
            if row is None:
                row = _new_row(request)
        if row is None:
            self._lost.append(f"{entry.execution} goes on without having started")
            return
        for event in events:
            _EFFECTS[type(event)](row, event)
        body.arrays.append(entry.events)
        self._bodies[entry.execution] = body
        self._change(row)

    def _held(self, entry: shapes.Held, waiting: _Waiting | None) -> None:
        request = entry.request or (waiting.request if waiting else None)
        if request is None:
            self._lost.append(f"the run request of {entry.execution} is gone from EXEC")
            return
        row = self.open.get(entry.execution) or _new_row(request)
        row.status, row.waiting_for = "waiting", entry.reason
        self._change(row)

    def _change(self, row: Row) -> None:
        self._changed[row.id] = row
        if row.finished_ms:
            self.open.pop(row.id, None)
        else:
            self.open[row.id] = row


def error_text(error: ErrorInfo | None) -> str:
    """An error as its column holds it."""
    return "" if error is None else _encode_error(error).decode()


def _new_row(request: shapes.Request) -> Row:
    return Row(
        day=day_of(request.execution),
        id=request.execution,
        tenant=request.tenant,
        workflow=request.workflow,
        plan=request.plan,
        mode=request.mode,
        status="running",
        received_ms=request.received_ms,
        retry_of=request.retry_of,
        parent=request.parent,
        places=[],
    )


def _runs_on(row: Row, waiting_for: str = "", until_ms: int = 0) -> None:
    row.status, row.waiting_for, row.until_ms = "running", waiting_for, until_ms


def _started(row: Row, event: shapes.Started) -> None:
    row.started_ms = event.at_ms
    _runs_on(row)


def _ran(row: Row, event: shapes.Ran) -> None:
    row.last_node = event.node
    if row.waiting_for:
        _runs_on(row)


def _tried(row: Row, event: shapes.Tried) -> None:
    _runs_on(row, "retry", event.retry_ms)


def _waited(row: Row, event: shapes.Waited) -> None:
    row.status, row.until_ms = "waiting", max(event.until_ms, 0)
    row.waiting_for = "timer" if event.until_ms >= 0 else "signal"


def _woken(row: Row, event: shapes.Woken) -> None:
    _runs_on(row)


def _called(row: Row, event: shapes.Called) -> None:
    if bytes(event.call) != b"\xc0":
        _runs_on(row, "call")


def _returned(row: Row, event: shapes.Returned) -> None:
    """The next child, or the calling node's own outcome, says how it goes on."""


def _finished(row: Row, event: shapes.Finished) -> None:
    row.status, row.waiting_for, row.until_ms = event.status, "", 0
    row.finished_ms = event.at_ms or 1
    row.error = error_text(event.error)


_EFFECTS: dict[type, Callable[[Row, Any], None]] = {
    shapes.Started: _started,
    shapes.Ran: _ran,
    shapes.Tried: _tried,
    shapes.Waited: _waited,
    shapes.Woken: _woken,
    shapes.Called: _called,
    shapes.Returned: _returned,
    shapes.Finished: _finished,
}
