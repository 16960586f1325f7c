"""Signals to executions and actors: cancel, resume, new limits. Durable when `send` returns.

A signal is rare next to a run, so each is its own message; like a batch of runs it is sent again
under one id until the broker answers or ten seconds are over.
"""

import asyncio
import itertools
import logging

from penstock.gateway.problems import ProblemError, too_large
from penstock.subjects import names
from penstock.subjects.bus import Ack, Bus
from penstock.subjects.codec import MESSAGE_BYTES_MAX, Codec, CodecError
from penstock.subjects.errors import StreamFullError
from penstock.subjects.messages import Signal

TRY_S = 0.5
GIVE_UP_S = 10.0

log = logging.getLogger("penstock.gateway")

_signals: Codec[list[Signal]] = Codec(list[Signal])


class Signals:
    """The way of every signal into the stream."""

    def __init__(self, bus: Bus, *, region: str, gateway: str) -> None:
        self._bus = bus
        self._region = region
        self._gateway = gateway
        self._numbers = itertools.count(1)

    async def send(self, partition: int, signal: Signal) -> int:
        """Store `signal` for the partition's owner; its sequence. 503 when that cannot be had."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + GIVE_UP_S
        stored: asyncio.Future[int] = loop.create_future()

        def on_ack(answer: Ack | Exception) -> None:
            if stored.done():
                return
            if isinstance(answer, Ack):
                stored.set_result(answer.sequence)
            elif isinstance(answer, StreamFullError):
                stored.set_exception(_unavailable("the storage for executions is full"))

        frame = _frame(signal)
        message_id = f"{self._gateway}-s{next(self._numbers)}"
        subject = names.signals(self._region, partition)
        while loop.time() < deadline_s:
            self._bus.append(subject, frame, on_ack, message_id=message_id)
            done, _ = await asyncio.wait([stored], timeout=TRY_S)
            if done:
                return stored.result()
        stored.cancel()
        raise _unavailable("no acknowledgement within 10 s")


def _unavailable(detail: str) -> ProblemError:
    return ProblemError(503, detail, retry_after_s=5)


def _frame(signal: Signal) -> bytes:
    try:
        return _signals.encode([signal])
    except CodecError as error:
        raise too_large(MESSAGE_BYTES_MAX + 1) from error
