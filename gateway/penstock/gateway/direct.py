"""The short way of run requests whose callers wait: straight to the owner of a partition.

A caller that gets the execution's own answer gets it only once the outcome is in the journal, so
storing the request before that makes nothing safer: it costs a write, a broker's acknowledgement
and half of the time. What is lost on this way (nobody owns the partition, a connection breaks, an
owner dies before it has written anything down) is sent again on the long way, through `ingress`,
as soon as that is known or when no answer has come for a while. The owner knows what it has dealt
with already (`actors.direct`), so nothing is started twice.

Requests leave together as long as each turn of the event loop brings more of them: every message
is a system call for three processes. They go to one partition, the next ones to the next. Messages
to a partition are numbered without gaps.
"""

import asyncio
import itertools
from functools import partial

import msgspec

from penstock.gateway.ingress import FULL, FULL_RETRY_S, Ingress
from penstock.gateway.problems import ProblemError
from penstock.gateway.replies import Waiting
from penstock.subjects import names
from penstock.subjects.bus import Bus
from penstock.subjects.codec import Codec
from penstock.subjects.ids import new_id_in
from penstock.subjects.messages import RunRequest

BODY_BYTES_MAX = 64 * 1024
"""Larger requests go the long way: what is worth storing is worth storing once."""
BATCH_REQUESTS_MAX = 500
BATCH_BYTES_MAX = 2 * 1024 * 1024
KEPT_BYTES_MAX = 64 * 1024 * 1024
"""Encoded, of what must be stored should no answer come. Whose turn comes beyond is stored at once,
and then need not be kept: workflows may take minutes, and thousands of callers wait for them."""
LOOKS_MAX = 3
"""Turns of the event loop that a request waits for others, each as short as it is empty."""


class _Frame(msgspec.Struct, array_like=True):
    """`messages.DirectRuns` with its requests encoded."""

    gateway: str
    number: int
    requests: list[msgspec.Raw]


_frames: Codec[_Frame] = Codec(_Frame)
_encode = msgspec.msgpack.Encoder().encode


class Direct:
    """See the module's text. Use it on the event loop's thread only."""

    def __init__(
        self, bus: Bus, ingress: Ingress, *, region: str, partitions: int, gateway: str
    ) -> None:
        self._bus = bus
        self._ingress = ingress
        self._region = region
        self._partitions = partitions
        self._gateway = gateway
        self._metrics = ingress.metrics
        self._numbers = [0] * partitions
        self._turns = itertools.cycle(range(partitions))
        self._partition = next(self._turns)
        self._parts: list[msgspec.Raw] = []
        self._waiters: list[Waiting] = []
        self._batch_bytes = 0
        self._kept_bytes = 0

    def takes(self, body_bytes: int) -> bool:
        """Whether a request with such a body should go this way now."""
        is_small = body_bytes <= BODY_BYTES_MAX and self._kept_bytes < KEPT_BYTES_MAX
        return is_small and self._bus.is_connected

    def new_execution(self, now_ms: int) -> str:
        """An id for a request that is handed to `add` next, in this turn of the event loop."""
        return new_id_in(self._partition, self._partitions, now_ms)

    def add(self, request: RunRequest, waiting: Waiting) -> None:
        """Send `request` with the next batch. Raises as `Ingress.add` does."""
        part = msgspec.Raw(_encode(request))
        size = len(part)
        self._ingress.room.check_disk()
        if not self._ingress.room.takes(size):
            self._metrics.shed_overload += 1
            raise ProblemError(503, FULL, retry_after_s=FULL_RETRY_S)
        if not self._parts:
            asyncio.get_running_loop().call_soon(self._look, 0, LOOKS_MAX)
        waiting.unstored, waiting.unstored_bytes = request, size
        self._kept_bytes += size
        self._batch_bytes += size
        self._parts.append(part)
        self._waiters.append(waiting)
        if len(self._parts) >= BATCH_REQUESTS_MAX or self._batch_bytes >= BATCH_BYTES_MAX:
            self._leave()

    def _look(self, seen: int, looks: int) -> None:
        """Leave when a turn of the event loop has brought no more."""
        count = len(self._parts)
        if count > seen and looks:
            asyncio.get_running_loop().call_soon(self._look, count, looks - 1)
        else:
            self._leave()

    def _leave(self) -> None:
        if not self._parts:
            return
        parts, self._parts = self._parts, []
        waiters, self._waiters = self._waiters, []
        self._batch_bytes = 0
        partition, self._partition = self._partition, next(self._turns)
        number = self._numbers[partition] = self._numbers[partition] + 1
        for waiting in waiters:
            if waiting.unstored is not None:
                waiting.unstored.direct = number
        frame = _frames.encode(_Frame(self._gateway, number, parts))
        self._metrics.executions_direct += len(parts)
        subject = names.direct_runs(self._region, partition)
        self._bus.offer(subject, frame, partial(self._nobody_took, waiters))

    def _nobody_took(self, waiters: list[Waiting]) -> None:
        for waiting in waiters:
            self.store(waiting)

    def store(self, waiting: Waiting) -> None:
        """Send what `waiting` waits for on the long way, unless that has been done."""
        request = self.forget(waiting)
        if request is None or waiting.future.done():
            return
        self._metrics.executions_stored_late += 1
        try:
            self._ingress.add(request, waiting)
        except ProblemError as problem:
            waiting.refused(problem)

    def forget(self, waiting: Waiting) -> RunRequest | None:
        """Keep no longer what `waiting` waits for; what that was."""
        request, waiting.unstored = waiting.unstored, None
        if request is not None:
            self._kept_bytes -= waiting.unstored_bytes
        return request
