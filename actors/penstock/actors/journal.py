"""The journal: what a partition decided, and how to read it back.

One record per wake-up of the owner, all in one subject per partition, fenced by the expected last
sequence. What is not in a record did not happen. Everything else that knows about executions
(the owner's memory, Postgres, the drills' checker) is made from these records.

Run requests are not written twice: a `Started` or `Held` whose `request` is None stands in the
partition's inputs, after the previous record's `input_seq` and before the record itself.
`JournalReader` joins the two. Tenants take turns, so a request may be started before an earlier one
of somebody else: `input_seq` is the point up to which *all* inputs are dealt with. A request that
it passes without `Started` or `Held` was not taken (a duplicate, or it is in DEAD); one that is
held and started later is written out with its `Started`.

Requests that came straight from a gateway stand in no inputs, so they are written out; `direct`
says which messages of each gateway are dealt with (see `actors.direct`).

Stored for as long as the installation lives: append fields at the end with a default; never
reorder them, rename a tag, or give one a new meaning.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from penstock.actors.continuity import Continuity
from penstock.actors.execution.events import Event, Started
from penstock.subjects.bus import Message
from penstock.subjects.codec import Codec, CodecError
from penstock.subjects.messages import ReplyTo, Respond, RunRequest, TenantLimits


class Happened(msgspec.Struct, array_like=True, tag="x", gc=False):
    """What happened to one execution, in order. It may appear in a record more than once."""

    execution: str
    events: list[Event]


class Held(msgspec.Struct, array_like=True, tag="h", gc=False):
    """A request was taken but not started yet; `reason` is plan, concurrency, quota or rate."""

    execution: str
    reason: str
    request: RunRequest | None = None


class Answered(msgspec.Struct, array_like=True, tag="r", gc=False):
    """A waiting request was given its answer. Written out since nothing else holds it, and a
    gateway may ask for it again after the owner that sent it has died."""

    execution: str
    to: ReplyTo
    response: Respond


class Limited(msgspec.Struct, array_like=True, tag="l", gc=False):
    """A tenant's limits are these from now on."""

    limits: TenantLimits


class Leased(msgspec.Struct, array_like=True, tag="g", gc=False):
    """A tenant gave `count` of `kind` (webhooks, executions, steps, slots) to `holder`.

    A later lease of the same kind to the same holder replaces this one.
    """

    tenant: str
    kind: str
    holder: str
    count: float
    until_ms: int


class Armed(msgspec.Struct, array_like=True, tag="a", gc=False):
    """A schedule waits: trigger node `node` of `workflow` (version `plan`) is due at `due_ms`.

    Arming again replaces; `due_ms` -1: it will never be due again. Intervals count from
    `since_ms`.
    """

    tenant: str
    workflow: str
    node: str
    plan: str
    due_ms: int
    since_ms: int = 0


class Fired(msgspec.Struct, array_like=True, tag="f", gc=False):
    """A due time was handled: `execution` was started for it (empty: skipped as a misfire), and
    the schedule is due next at `next_ms`. Started stands in the same record."""

    tenant: str
    workflow: str
    node: str
    due_ms: int
    next_ms: int
    execution: str = ""


class Disarmed(msgspec.Struct, array_like=True, tag="d", gc=False):
    """A workflow's schedules are off."""

    tenant: str
    workflow: str


class Saved(msgspec.Struct, array_like=True, tag="v", gc=False):
    """An execution ended and leaves its workflow this static data."""

    tenant: str
    workflow: str
    at_ms: int
    data: dict[str, Any]


Entry = Happened | Held | Answered | Limited | Leased | Armed | Fired | Disarmed | Saved


class Dealt(msgspec.Struct, array_like=True, gc=False):
    """Of the messages that a gateway has sent straight to the owner, all up to `up_to` are dealt
    with, but for the ranges `missing` (first, last), which never came."""

    up_to: int = 0
    missing: list[tuple[int, int]] = []

    def copy(self) -> "Dealt":
        """One that does not change with this one."""
        return Dealt(self.up_to, list(self.missing))

    def lacks(self, number: int) -> bool:
        """Whether the message of that number never came."""
        return any(first <= number <= last for first, last in self.missing)


class Record(msgspec.Struct, array_like=True, gc=False):
    """One wake-up. (`owner`, `index`) names it; index 0 is the record that opens an epoch.

    `input_seq`: all inputs up to here are dealt with. `done_seq`: results up to here, a position in
    DONE that means nothing after that stream was lost. `now_ms`: the owner's wall clock, the only
    time that its events know. `direct`: of gateways with which it has changed, by their name.
    """

    owner: str
    epoch: int
    index: int
    now_ms: int
    input_seq: int
    entries: list[Entry]
    done_seq: int = 0
    direct: dict[str, Dealt] = {}


RECORDS: Codec[Record] = Codec(Record)
RUNS: Codec[list[RunRequest]] = Codec(list[RunRequest])


def is_journal(subject: str) -> bool:
    """Whether a message of `exec.<region>.<p>.>` is a record (else it is an input)."""
    return subject.endswith(".journal")


class JournalReader:
    """Joins run requests and records of one partition, fed with `exec.<region>.<p>.>` in order.

    Start reading at `resume_from`; what is already known below the two positions is skipped, so
    a follower persists `input_seq` and `record_seq` of the last record that it has applied.
    `beyond`: requests after `input_seq` that were started or held up to `record_seq`. `direct` and
    `direct_taken`: the same of those that came straight from gateways.
    """

    def __init__(
        self,
        *,
        input_seq: int = 0,
        record_seq: int = 0,
        beyond: Iterable[str] = (),
        direct: Mapping[str, Dealt] = MappingProxyType({}),
        direct_taken: Mapping[str, tuple[str, int]] = MappingProxyType({}),
    ) -> None:
        self.input_seq = input_seq
        self.record_seq = record_seq
        self.last: Record | None = None
        self.gap = ""
        """What of the journal is lost, for people; empty as long as records follow each other."""
        self._continuity = Continuity()
        self._beyond = frozenset(beyond)
        self.taken: dict[str, int] = {}
        """Requests beyond `input_seq` that are already started or held, with their sequence."""
        self._window: dict[str, tuple[int, RunRequest]] = {}
        self.direct = dict(direct)
        self.direct_taken = dict(direct_taken)
        """Executions above the numbers in `direct`, or missing there, that are already started or
        held, with their gateway and number."""

    @property
    def resume_from(self) -> int:
        """The stream sequence to start at after a restart."""
        return min(self.input_seq, self.record_seq) + 1

    def feed(self, message: Message) -> Record | None:
        """The record in `message` with every request filled in, or None when it is an input."""
        if not is_journal(message.subject):
            self._input(message)
            return None
        if message.sequence < self.record_seq:
            return None
        record: Record = RECORDS.decode(message.payload)
        self.gap = self._continuity.gap(record) or self.gap
        if message.sequence == self.record_seq:
            return None
        for entry in record.entries:
            if type(entry) is Happened:
                self._join(entry)
            elif type(entry) is Held:
                entry.request = self._joined(entry.execution, entry.request)
        self.input_seq = record.input_seq
        self.record_seq = message.sequence
        self.last = record
        self._slide()
        if record.direct:
            self.direct.update(record.direct)
            taken = self.direct_taken.items()
            self.direct_taken = {each: at for each, at in taken if self._is_undecided(*at)}
        return record

    def _input(self, message: Message) -> None:
        if message.sequence <= self.input_seq or not message.subject.endswith(".run"):
            return
        try:
            batch = RUNS.decode(message.payload)
        except CodecError:
            return  # the owner sends it to DEAD; for a reader it is as if it were not there
        for request in batch:
            if request.execution in self._beyond:
                self.taken[request.execution] = message.sequence
            else:
                self._window.setdefault(request.execution, (message.sequence, request))

    def _join(self, entry: Happened) -> None:
        first = entry.events[0]
        if type(first) is Started:
            first.request = self._joined(entry.execution, first.request)

    def _joined(self, execution: str, request: RunRequest | None) -> RunRequest:
        if request is None:
            return self._take(execution)
        if request.direct and request.reply is not None:
            place = (request.reply.gateway, request.direct)
            if self._is_undecided(*place):
                self.direct_taken[execution] = place
        return request

    def _is_undecided(self, gateway: str, number: int) -> bool:
        """Whether the number does not tell that its executions are dealt with: for an owner that
        died in the middle of a message the next one counts all of it as missing."""
        dealt = self.direct.get(gateway)
        return dealt is None or number > dealt.up_to or dealt.lacks(number)

    def _take(self, execution: str) -> RunRequest:
        found = self._window.pop(execution, None)
        # An input at or before `input_seq` that is not there means that somebody purged what a
        # reader still needed: going on would invent history.
        assert found is not None, f"the run request of {execution} is gone from the inputs"
        self.taken[execution] = found[0]
        return found[1]

    def _slide(self) -> None:
        """Forget what the last record passed."""
        passed = []
        for execution, (sequence, _) in self._window.items():
            if sequence > self.input_seq:
                break  # in stream order: a long backlog is not walked for each record
            passed.append(execution)
        for execution in passed:
            del self._window[execution]
        if self.taken:
            limit = self.input_seq
            self.taken = {key: seq for key, seq in self.taken.items() if seq > limit}
