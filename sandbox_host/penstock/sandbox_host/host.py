"""A sandbox host: takes batches of steps off a tier's queue, runs them, answers on `done`.

Order of things for each batch: run, append the results, and only when the broker has them
acknowledge the batch. So whoever dies in between loses nothing: the batch is delivered again, and
a result that comes twice counts once, by its step's number and attempt. Results that are ready
together leave together, per partition. A batch that takes long is kept alive every second; one
that is delivered again nevertheless is answered again, not run again (`once`).

Back-pressure: a host asks for messages while it has free slots, and for nothing while it drains.
What a draining host gives back is somebody else's: whatever comes of it here is told to nobody.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from penstock.sandbox_host.executor import Executor
from penstock.sandbox_host.once import Once, OnResult
from penstock.subjects import names
from penstock.subjects.bus import Ack, Bus, Message, WorkSubscription
from penstock.subjects.codec import Codec, CodecError
from penstock.subjects.dead_letters import UNREADABLE, bury, letter_of
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Outcome, Step, StepResult

PROGRESS_S = 1.0
_RETRY_S = 0.2

STEPS: Codec[list[Step]] = Codec(list[Step])
RESULTS: Codec[list[StepResult]] = Codec(list[StepResult])


@dataclass(slots=True, eq=False)
class _Batch:
    """One message of the queue. `left` counts the steps whose results are not stored yet."""

    message: Message
    left: int


@dataclass(slots=True, eq=False)
class _Outbox:
    """Results of one partition that wait for the append that is in flight."""

    waiting: list[tuple[_Batch, StepResult]] = field(default_factory=list)
    is_sending: bool = False


class _Append(NamedTuple):
    """Results on their way to the broker. No closure: one that tries itself again is a cycle, and
    keeps them until the collector comes by."""

    subject: str
    frame: bytes
    message_id: str
    sending: list[tuple[_Batch, StepResult]]
    then: Callable[[], None]


class TierServer:
    """Serves one tier. `slots` bounds the messages held, each of which is a batch."""

    def __init__(self, bus: Bus, executor: Executor, *, region: str, tier: str, slots: int) -> None:
        self._bus = bus
        self._executor = executor
        self._once = Once(self._start)
        self._region = region
        self._tier = tier
        self._slots = slots
        self._batches: set[_Batch] = set()
        self._outboxes: dict[int, _Outbox] = {}
        self._tasks: set[asyncio.Task[StepResult]] = set()
        self._appended = 0
        self._work: WorkSubscription | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._is_draining = False
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self.finished = 0

    @property
    def free(self) -> int:
        """Messages that it would take now."""
        return 0 if self._is_draining else self._slots - len(self._batches)

    async def start(self) -> None:
        """Join the tier's queue and ask for work."""
        subject = names.steps(self._region, self._tier)
        self._work = await self._bus.work("STEPS", self._tier, subject, self._received)
        self._work.offer(self._slots)
        self._tick()

    async def drain(self, grace_s: float) -> None:
        """Take no more; finish what there is within `grace_s`, give the rest back."""
        self._is_draining = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._is_idle.wait()
        # First ask for nothing any more: what is given back would come here again.
        self._queue.close()
        given_back, self._batches = self._batches, set()
        for batch in given_back:
            self._queue.nak(batch.message)
        for task in self._tasks:
            task.cancel()
        if self._ticker is not None:
            self._ticker.cancel()

    @property
    def _queue(self) -> WorkSubscription:
        assert self._work is not None, "not started"
        return self._work

    def _tick(self) -> None:
        self._ticker = asyncio.get_running_loop().call_later(PROGRESS_S, self._tick)
        for batch in self._batches:
            self._queue.progress(batch.message)

    def _received(self, message: Message) -> None:
        if self._is_draining:
            self._queue.nak(message)
            return
        try:
            steps = STEPS.decode(message.payload)
        except CodecError as error:
            self._quarantine(message, error)
            return
        if not steps:
            self._queue.ack(message)
            self._queue.offer(1)
            return
        batch = _Batch(message, len(steps))
        self._batches.add(batch)
        self._is_idle.clear()
        for step in steps:
            self._once.run(step, partial(self._ran, batch, step.partition))

    def _start(self, step: Step, on_result: OnResult) -> None:
        task = self._executor.start(step, on_result)
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _quarantine(self, message: Message, error: CodecError) -> None:
        """What is no batch of steps will never be one: to DEAD, then off the queue."""

        def stored() -> None:
            self._queue.ack(message)
            if not self._is_draining:
                self._queue.offer(1)

        bury(self._bus, self._region, letter_of(message, UNREADABLE, error.message), stored)

    def _ran(self, batch: _Batch, partition: int, result: StepResult) -> None:
        if batch not in self._batches:
            return  # given back: it runs elsewhere, and here it ends because the host stops
        outbox = self._outboxes.setdefault(partition, _Outbox())
        outbox.waiting.append((batch, result))
        if not outbox.is_sending:
            outbox.is_sending = True
            # With the next turn of the loop: what became ready in this one leaves together.
            asyncio.get_running_loop().call_soon(self._flush, partition)

    def _flush(self, partition: int) -> None:
        outbox = self._outboxes[partition]
        sending, outbox.waiting = outbox.waiting, []
        if not sending:
            outbox.is_sending = False
            return
        self._append(partition, sending, lambda: self._flush(partition))

    def _append(
        self, partition: int, sending: list[tuple[_Batch, StepResult]], then: Callable[[], None]
    ) -> None:
        try:
            frame = RESULTS.encode([result for _, result in sending])
        except CodecError as error:
            self._append_in_halves(partition, sending, error=error, then=then)
            return
        self._appended += 1
        message_id = f"{self._executor.host_id}-{self._tier}-{self._appended}"
        self._send(_Append(names.done(self._region, partition), frame, message_id, sending, then))

    def _send(self, append: _Append) -> None:
        on_ack = partial(self._on_ack, append)
        self._bus.append(append.subject, append.frame, on_ack, message_id=append.message_id)

    def _on_ack(self, append: _Append, result: Ack | Exception) -> None:
        if isinstance(result, Ack):
            self._stored(append.sending, len(append.frame))
            append.then()
        else:
            # No connection, or the stream is full: the steps stay ours meanwhile.
            asyncio.get_running_loop().call_later(_RETRY_S, self._send, append)

    def _append_in_halves(
        self,
        partition: int,
        sending: list[tuple[_Batch, StepResult]],
        *,
        error: CodecError,
        then: Callable[[], None],
    ) -> None:
        """More than one message carries: the halves one by one; one alone becomes its error."""
        if len(sending) == 1:
            sending[0][1].outcome = Outcome(
                outputs=None, error=ErrorInfo(message=error.message, description=error.remedy)
            )
            self._append(partition, sending, then)
            return
        half = len(sending) // 2
        self._append(
            partition, sending[:half], lambda: self._append(partition, sending[half:], then)
        )

    def _stored(self, sent: list[tuple[_Batch, StepResult]], payload_bytes: int) -> None:
        self.finished += len(sent)
        for batch, result in sent:
            # Its share: what each of them takes alone is not worth encoding it again.
            self._once.stored(result, payload_bytes // len(sent))
            batch.left -= 1
            if batch.left == 0:
                self._batches.discard(batch)
                self._queue.ack(batch.message)
                if not self._is_draining:
                    self._queue.offer(1)
        if not self._batches:
            self._is_idle.set()
