"""Steps on their way to sandbox hosts: batched per tier, outstanding until their result is in.

STEPS and DONE are memory streams: they survive the death of any host (the broker delivers a dead
host's steps to another) but not that of the broker. So after a reconnect the owner looks whether
one of them has begun anew, and only then sends everything outstanding again. A step that stays
unanswered beyond its time-out and a grace is sent again as well; its number and attempt make the
result count once.

A refused append (no connection, stream full) is tried again here and is no error of the step.
"""

import asyncio
from collections.abc import Callable, Mapping

from penstock.actors.execution.effects import Dispatch
from penstock.subjects import names
from penstock.subjects.bus import Ack, Bus
from penstock.subjects.codec import Codec
from penstock.subjects.crash_points import crash_point
from penstock.subjects.errors import BusError, PenstockError
from penstock.subjects.messages import Step

BATCH_MAX = 64
RETRY_S = 0.2
DEFAULT_TIMEOUT_S = 3_600.0
GRACE_S = 30.0

STEPS: Codec[list[Step]] = Codec(list[Step])


class Dispatcher:
    """The outstanding steps of one partition. `on_refused` is told of a step that no message can
    carry."""

    def __init__(
        self,
        bus: Bus,
        region: str,
        partition: int,
        *,
        on_refused: Callable[[Step, PenstockError], None],
    ) -> None:
        self.resent = 0
        self._bus = bus
        self._region = region
        self._partition = partition
        self._name = ""
        self._on_refused = on_refused
        self._outstanding: dict[str, tuple[Dispatch, float]] = {}
        self._batches: dict[str, list[Step]] = {}
        self._now_s = 0.0
        self._number = 0
        self._highest = 0
        self._noted = 0
        self._created = 0
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
        timeout_s = step.timeout_ms / 1000 if step.timeout_ms else DEFAULT_TIMEOUT_S
        self._outstanding[step.execution] = (dispatch, self._now_s + timeout_s + GRACE_S)
        batch = self._batches.get(dispatch.tier)
        if batch is None:
            batch = self._batches[dispatch.tier] = []
        batch.append(step)

    def forget(self, execution: str) -> None:
        """The execution waits for no step any more."""
        self._outstanding.pop(execution, None)

    def flush(self) -> None:
        """Send what was added."""
        self._now_s = 0.0
        if not self._batches:
            return
        crash_point("dispatch")
        batches, self._batches = self._batches, {}
        for tier, batch in batches.items():
            for first in range(0, len(batch), BATCH_MAX):
                self._encode(names.steps(self._region, tier), batch[first : first + BATCH_MAX])

    def send_again(self) -> None:
        """Send everything outstanding: the stream that held it is gone."""
        for dispatch, _ in list(self._outstanding.values()):
            self.add(dispatch)
        self.resent += len(self._outstanding)
        self.flush()

    def send_overdue(self) -> None:
        """Send again what should have been answered long ago."""
        now = asyncio.get_running_loop().time()
        overdue = [dispatch for dispatch, at in self._outstanding.values() if at < now]
        for dispatch in overdue:
            self.add(dispatch)
        self.resent += len(overdue)
        self.flush()

    def note(self) -> None:
        """Remember how far STEPS has come, before it is asked what it is: while the answer is on
        its way more is sent. A question that was never answered leaves its note to the next."""
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

    def _encode(self, subject: str, batch: list[Step]) -> None:
        try:
            self._send(subject, STEPS.encode(batch))
        except PenstockError as error:
            if isinstance(error, BusError) and not self._bus.is_connected:
                self._batches.setdefault(subject.rpartition(".")[2], []).extend(batch)
            elif len(batch) == 1:
                self._on_refused(batch[0], error)
            else:
                half = len(batch) // 2
                self._encode(subject, batch[:half])
                self._encode(subject, batch[half:])

    def _send(self, subject: str, frame: bytes) -> None:
        self._number += 1
        self._append(subject, frame, f"{self._name}-{self._number}")

    def _append(self, subject: str, frame: bytes, message_id: str) -> None:
        if self._is_closed:
            return

        # Must not refer to itself: a cycle would keep the frame until the collector comes by.
        def on_ack(result: Ack | Exception) -> None:
            if isinstance(result, Ack):
                self._highest = max(self._highest, result.sequence)
            elif not self._is_closed:
                loop = asyncio.get_running_loop()
                loop.call_later(RETRY_S, self._append, subject, frame, message_id)

        self._bus.append(subject, frame, on_ack, message_id=message_id)
