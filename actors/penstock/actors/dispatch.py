"""Steps on their way to sandbox hosts: batched per tier, outstanding until their result is in.

STEPS and DONE are memory streams: they survive the death of any host (the broker delivers a dead
host's steps to another) but not that of the broker. So after a reconnect the owner looks whether
one of them has begun anew, and only then sends everything outstanding again. A step that stays
unanswered beyond its time-out and a grace is sent again as well, unless STEPS still has it: then it
waits for a host or is with one, and a second copy would only make the queue longer. A host takes it
out when its result is in DONE, so what neither has is lost. A step's number and attempt make its
result count once.

A refused append (no connection, stream full) is tried again here and is no error of the step. Which
message a step left in is kept, and a message is tried only for the steps that are still its own:
not for those that were cancelled meanwhile, or left again in another one.

A step itself is kept only until it is encoded, and its message until that is stored. The execution
has all that it is made of, so one that is lost is made anew: there may be 100,000 outstanding.
"""

import asyncio
from collections.abc import Callable, Mapping

import msgspec

from penstock.actors.execution.effects import Dispatch
from penstock.subjects import names
from penstock.subjects.bus import Ack, Bus
from penstock.subjects.codec import Codec
from penstock.subjects.crash_points import crash_point
from penstock.subjects.errors import BusError, PenstockError
from penstock.subjects.messages import Step

BATCH_MAX = 64
RETRY_S = 0.2
GRACE_S = 30.0
DEFAULT_PATIENCE_S = 3_600.0 + GRACE_S

STEPS: Codec[list[Step]] = Codec(list[Step])


class Batch(msgspec.Struct, eq=False, gc=False):
    """Steps that leave in one message: as such until they are encoded, then as its `frame`; once
    that is stored, only where it is (`sequence`). `connection`: with which it was made or, as far
    as is known, stored."""

    subject: str
    message_id: str
    connection: int
    steps: list[Step]
    executions: list[str]
    frame: bytes = b""
    sequence: int = 0


class Sent(msgspec.Struct, gc=False):
    """What is kept of an outstanding step. `at_s`, on the loop's clock: when to ask what has become
    of it; and then after each `patience_s` in which it waited."""

    seq: int
    attempt: int
    batch: Batch
    patience_s: float
    at_s: float


class Dispatcher:
    """The outstanding steps of one partition. `on_refused` is told of a step that no message can
    carry; `remake` gives the step of an execution again, as seq and attempt identify it, or None
    when the execution is not at that step any more, or is under repair: whoever repaired it sees
    that nothing is outstanding."""

    def __init__(
        self,
        bus: Bus,
        region: str,
        partition: int,
        *,
        on_refused: Callable[[Step, PenstockError], None],
        remake: Callable[[str, int, int], Dispatch | None],
    ) -> None:
        self.resent = 0
        self._bus = bus
        self._region = region
        self._partition = partition
        self._name = ""
        self._on_refused = on_refused
        self._remake = remake
        self._outstanding: dict[str, Sent] = {}
        self._added: list[Batch] = []
        self._open: dict[str, Batch] = {}
        self._now_s = 0.0
        self._number = 0
        self._connection = 0
        self._highest = 0
        self._noted = 0
        self._created = 0
        self._looking: asyncio.Task[None] | None = None
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._outstanding)

    def is_outstanding(self, execution: str) -> bool:
        """Whether a step of this execution was sent and has not come back."""
        return execution in self._outstanding

    def begin(self, name: str) -> None:
        """Start an epoch. `name` begins the message ids, so it must never have been used: the
        broker would take a new batch for an old one and drop it."""
        self._name = name

    def add(self, dispatch: Dispatch) -> None:
        """Send with the next `flush`. An execution has one step outstanding at a time."""
        step = dispatch.step
        # The core does not know where it lives; results come back to here by this.
        step.partition = self._partition
        if not self._now_s:
            self._now_s = asyncio.get_running_loop().time()  # once for all that leave together
        batch = self._open.get(dispatch.tier)
        if batch is None or len(batch.steps) == BATCH_MAX:
            batch = self._batch(names.steps(self._region, dispatch.tier), [])
            self._open[dispatch.tier] = batch
            self._added.append(batch)
        batch.steps.append(step)
        batch.executions.append(step.execution)
        patience_s = step.timeout_ms / 1000 + GRACE_S if step.timeout_ms else DEFAULT_PATIENCE_S
        at_s = self._now_s + patience_s
        sent = Sent(step.seq, step.attempt, batch, patience_s, at_s)
        self._outstanding[step.execution] = sent

    def forget(self, execution: str) -> None:
        """The execution waits for no step any more."""
        self._outstanding.pop(execution, None)

    def flush(self) -> None:
        """Send what was added."""
        self._now_s = 0.0
        if not self._added:
            return
        crash_point("dispatch")
        added, self._added = self._added, []
        self._open.clear()
        for batch in added:
            self._send(batch)

    def send_again(self) -> None:
        """Send again what was outstanding at `note`: the stream that held it, or its results, is
        gone. What has been stored since then is in the new one."""
        outstanding = self._outstanding.items()
        self._resend([e for e, sent in outstanding if sent.batch.connection < self._connection])

    def send_overdue(self) -> None:
        """Send again what should have been answered long ago and is not in STEPS any more, as soon
        as the broker has said so."""
        loop = asyncio.get_running_loop()
        if self._looking is not None and not self._looking.done():
            return
        now_s = loop.time()
        overdue: dict[Batch, list[str]] = {}
        for execution, sent in self._outstanding.items():
            if sent.at_s < now_s:
                overdue.setdefault(sent.batch, []).append(execution)
        if overdue:
            self._looking = loop.create_task(self._look_for(overdue))

    def note(self) -> None:
        """Remember what was sent with the connection that is over, and how far STEPS has come:
        while it is asked what it is, more is sent. A question that was never answered leaves its
        note to the next."""
        self._connection += 1
        self._noted = max(self._noted, self._highest)

    def was_lost(self, steps: Mapping[str, int]) -> bool:
        """Whether STEPS has begun anew since it was looked at last, given what it was found to be
        after `note`."""
        is_another = self._created not in (0, steps["created"])
        # A cluster makes a lost stream again with the old time of creation.
        is_behind = steps["last"] < self._noted
        self._created = steps["created"]
        self._noted = 0
        if is_another or is_behind:
            self._highest = steps["last"]
        return is_another or is_behind

    def close(self) -> None:
        """Send nothing any more."""
        self._is_closed = True
        if self._looking is not None:
            self._looking.cancel()

    async def _look_for(self, overdue: dict[Batch, list[str]]) -> None:
        for batch, executions in overdue.items():
            try:
                # What was never stored is still being tried.
                is_there = not batch.sequence or await self._bus.holds("STEPS", batch.sequence)
            except BusError:
                return  # asked again with the next tick
            still = [e for e in executions if self._is_in(e, batch)]
            if not is_there:
                self._resend(still)
                continue
            now_s = asyncio.get_running_loop().time()
            for execution in still:
                sent = self._outstanding[execution]
                sent.at_s = now_s + sent.patience_s

    def _resend(self, executions: list[str]) -> None:
        for execution in executions:
            sent = self._outstanding[execution]
            dispatch = self._remake(execution, sent.seq, sent.attempt)
            if dispatch is None:
                self.forget(execution)
                continue
            self.add(dispatch)
            self.resent += 1
        self.flush()

    def _batch(self, subject: str, steps: list[Step]) -> Batch:
        self._number += 1
        executions = [step.execution for step in steps]
        return Batch(subject, f"{self._name}-{self._number}", self._connection, steps, executions)

    def _send(self, batch: Batch) -> None:
        if self._is_closed:
            return
        try:
            if not batch.frame:
                batch.frame = STEPS.encode(batch.steps)
            self._append(batch)
            batch.steps = []
        except PenstockError as error:
            if isinstance(error, BusError) and not self._bus.is_connected:
                self._send_later(batch)
            else:
                self._refused(batch, error)

    def _refused(self, batch: Batch, error: PenstockError) -> None:
        """No message can be as large as this batch: its halves leave, each by itself."""
        steps = _steps_of(batch)
        if len(steps) == 1:
            self._on_refused(steps[0], error)
            return
        half = len(steps) // 2
        self._send(self._part(batch, steps[:half]))
        self._send(self._part(batch, steps[half:]))

    def _part(self, batch: Batch, steps: list[Step]) -> Batch:
        part = self._batch(batch.subject, steps)
        for execution in part.executions:
            if self._is_in(execution, batch):
                self._outstanding[execution].batch = part
        return part

    def _append(self, batch: Batch) -> None:
        # Must not refer to itself: a cycle would keep the frame until the collector comes by.
        def on_ack(result: Ack | Exception) -> None:
            if not isinstance(result, Ack):
                self._send_later(batch)
                return
            self._highest = max(self._highest, result.sequence)
            batch.sequence = result.sequence
            batch.executions, batch.frame = [], b""
            if not result.duplicate:
                batch.connection = self._connection

        self._bus.append(batch.subject, batch.frame, on_ack, message_id=batch.message_id)

    def _send_later(self, batch: Batch) -> None:
        if not self._is_closed:
            asyncio.get_running_loop().call_later(RETRY_S, self._try_again, batch)

    def _try_again(self, batch: Batch) -> None:
        """Send what is left of a refused batch. It may have been stored all the same, so it keeps
        its id, whatever is left."""
        left = [execution for execution in batch.executions if self._is_in(execution, batch)]
        if not left:
            return
        if len(left) < len(batch.executions):
            wanted = set(left)
            batch.steps = [step for step in _steps_of(batch) if step.execution in wanted]
            batch.executions, batch.frame = left, b""
        self._send(batch)

    def _is_in(self, execution: str, batch: Batch) -> bool:
        """Whether a step of this execution is outstanding, and by this batch."""
        sent = self._outstanding.get(execution)
        return sent is not None and sent.batch is batch


def _steps_of(batch: Batch) -> list[Step]:
    """The steps of a batch that is not stored yet."""
    return batch.steps or STEPS.decode(batch.frame)
