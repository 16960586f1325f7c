"""Ingress: run requests that arrive together leave together, and are answered on one ack.

A publish with fsync costs the broker the same for one request as for a hundred, so batches are
worth more than anything else here. At most `WINDOW` batches are in flight; what arrives meanwhile
collects in one batch, which belongs to one partition (its requests are given ids of that
partition) and leaves when an acknowledgement makes room. No timer: alone, a request leaves in the
same turn of the event loop. Partitions take turns, batch by batch.

A batch is sent again with the same message id each `TRY_S` until the broker answers or `GIVE_UP_S`
are over. The broker remembers ids for far longer, so nothing is started twice. Giving up means
"not known to be stored": callers are told 503 and the execution's id, never a success. A broker
whose disk is full answers nothing at all, so nobody waits for it: that is a 507.
"""

import asyncio
import itertools
import logging
from functools import partial
from typing import Protocol

import msgspec

from penstock.gateway.metrics import Metrics
from penstock.gateway.problems import ProblemError, too_large
from penstock.gateway.room import DISK_FULL, Room
from penstock.subjects import names
from penstock.subjects.bus import Ack, Bus
from penstock.subjects.codec import MESSAGE_BYTES_MAX, Codec
from penstock.subjects.errors import StreamFullError
from penstock.subjects.ids import new_id_in, partition_of
from penstock.subjects.messages import RunRequest

TRY_S = 0.5
GIVE_UP_S = 10.0
WINDOW = 3
REQUEST_BYTES_MAX = MESSAGE_BYTES_MAX - 1_024
BATCH_REQUESTS_MAX = 1_000
BATCH_BYTES_MAX = 2 * 1024 * 1024
WAITING_BYTES_MAX = 256 * 1024 * 1024
WAITING_REQUESTS_MAX = 20_000
FULL, FULL_RETRY_S = "the storage for executions is full", 30

log = logging.getLogger("penstock.gateway")

_frames: Codec[list[msgspec.Raw]] = Codec(list[msgspec.Raw])
_encode = msgspec.msgpack.Encoder().encode


class Waiter(Protocol):
    """Whoever wants to know what became of a run request."""

    def accepted(self, sequence: int) -> None:
        """The broker has it, at `sequence` of the stream."""

    def refused(self, problem: ProblemError) -> None:
        """It was not acknowledged, and no more tries follow."""


class Batch:
    """Requests for one partition, and the one message that carries them."""

    __slots__ = (
        "bytes",
        "deadline_s",
        "frame",
        "is_settled",
        "message_id",
        "partition",
        "parts",
        "retry",
        "waiters",
    )

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.parts: list[msgspec.Raw] = []
        self.waiters: list[Waiter] = []
        self.bytes = 0
        self.frame = b""
        self.message_id = ""
        self.deadline_s = 0.0
        self.is_settled = False
        self.retry: asyncio.TimerHandle | None = None

    def takes(self, size: int) -> bool:
        """Whether another request of `size` bytes may join. The first always may."""
        return not self.parts or (
            len(self.parts) < BATCH_REQUESTS_MAX and self.bytes + size <= BATCH_BYTES_MAX
        )


class Ingress:
    """The way of every run request into the stream. Use it on the event loop's thread only."""

    def __init__(
        self,
        bus: Bus,
        *,
        region: str,
        partitions: int,
        gateway: str,
        metrics: Metrics,
    ) -> None:
        self.room = Room(bus)
        self._bus = bus
        self._region = region
        self._partitions = partitions
        self._gateway = gateway
        self.metrics = metrics
        self._numbers = itertools.count(1)
        self._turns = itertools.cycle(range(partitions))
        self._forming = [Batch(next(self._turns))]
        self._in_flight = 0
        self._waiting_requests = 0
        self._waiting_bytes = 0
        self._is_scheduled = False

    def new_execution(self, now_ms: int) -> str:
        """An id for a request that is handed to `add` next, in this turn of the event loop."""
        return new_id_in(self._forming[-1].partition, self._partitions, now_ms)

    def add(self, request: RunRequest, waiter: Waiter) -> None:
        """Send `request` with the next batch. Raises `ProblemError` when it cannot be taken.

        Values that no message can hold (an integer beyond 64 bits, text with half a surrogate
        pair) raise the encoder's `OverflowError` or `UnicodeEncodeError`.
        """
        part = msgspec.Raw(_encode(request))
        size = len(part)
        if size > REQUEST_BYTES_MAX:
            # Possible within the limit of a body: "0.5," has four bytes, its number nine.
            raise too_large(size)
        if (
            self._waiting_requests >= WAITING_REQUESTS_MAX
            or self._waiting_bytes + size > WAITING_BYTES_MAX
        ):
            self.metrics.shed_overload += 1
            raise ProblemError(503, "too many requests wait for the broker", retry_after_s=1)
        self.room.check_disk()
        if not self.room.takes(size):
            self.metrics.shed_overload += 1
            raise ProblemError(503, FULL, retry_after_s=FULL_RETRY_S)
        batch = self._batch_for(request, size)
        batch.parts.append(part)
        batch.waiters.append(waiter)
        batch.bytes += size
        self._waiting_requests += 1
        self._waiting_bytes += size
        if not self._is_scheduled and self._in_flight < WINDOW:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._leave)

    def _batch_for(self, request: RunRequest, size: int) -> Batch:
        """A batch that takes the request: for one that comes from `direct`, of its partition."""
        last = self._forming[-1]
        if not request.direct:
            if not last.takes(size):
                # The id was made for this partition, so the full batch's successor shares it.
                last = Batch(last.partition)
                self._forming.append(last)
            return last
        partition = partition_of(request.execution, self._partitions)
        for batch in self._forming:
            if batch.partition == partition and batch.takes(size):
                return batch
        batch = Batch(partition)
        self._forming.insert(len(self._forming) - 1, batch)
        return batch

    def _leave(self) -> None:
        self._is_scheduled = False
        while self._in_flight < WINDOW and self._forming[0].parts:
            batch = self._forming.pop(0)
            if not self._forming:
                self._forming.append(Batch(next(self._turns)))
            self._start(batch)

    def _start(self, batch: Batch) -> None:
        self._in_flight += 1
        batch.message_id = f"{self._gateway}-{next(self._numbers)}"
        batch.deadline_s = asyncio.get_running_loop().time() + GIVE_UP_S
        batch.frame = _frames.encode(batch.parts)
        self._try(batch)

    def _try(self, batch: Batch) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() >= batch.deadline_s:
            self._give_up(batch)
            return
        batch.retry = loop.call_later(TRY_S, self._again, batch)
        subject = names.runs(self._region, batch.partition)
        on_ack = partial(self._answered, batch)
        self._bus.append(subject, batch.frame, on_ack, message_id=batch.message_id)

    def _again(self, batch: Batch) -> None:
        if batch.is_settled:
            return
        if self.room.is_disk_full:
            self._settle(batch)
            self._refuse(batch, f"{DISK_FULL}: it is not known to be started", status=507)
            return
        self.metrics.batches_retried += 1
        self._try(batch)

    def _answered(self, batch: Batch, answer: Ack | Exception) -> None:
        """One try's answer. An error leaves the next try to the timer: it may heal by then."""
        if batch.is_settled:
            return
        if isinstance(answer, StreamFullError):
            self._settle(batch)
            self._refuse(batch, FULL)
        elif isinstance(answer, Exception):
            log.debug("a batch was not acknowledged: %s", answer)
        else:
            self._settle(batch)
            self.metrics.batches_published += 1
            self.metrics.executions_accepted += len(batch.waiters)
            for waiter in batch.waiters:
                waiter.accepted(answer.sequence)

    def _give_up(self, batch: Batch) -> None:
        self._settle(batch)
        self._refuse(
            batch, "no acknowledgement within 10 s: it is not known to be started", retry_after_s=5
        )

    def _refuse(
        self, batch: Batch, reason: str, *, status: int = 503, retry_after_s: int = FULL_RETRY_S
    ) -> None:
        self.metrics.executions_unacknowledged += len(batch.waiters)
        for waiter in batch.waiters:
            waiter.refused(ProblemError(status, reason, retry_after_s=retry_after_s))

    def _settle(self, batch: Batch) -> None:
        batch.is_settled = True
        if batch.retry is not None:
            batch.retry.cancel()
        self._in_flight -= 1
        self._waiting_requests -= len(batch.parts)
        self._waiting_bytes -= batch.bytes
        if self._forming[0].parts and not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._leave)
