"""Appends: publishing into a stream and telling the acknowledgements apart.

Acknowledgements come to one inbox under a number each, so an append costs no future, no task and
no timer: unanswered ones are found by a sweep over a dict that is in order of deadline, because
every append waits equally long. When the connection is lost all of them fail at once.

Appends while disconnected are refused after a short pause rather than immediately, so that a
caller that tries again does not spin.
"""

import asyncio
import itertools

import msgspec

from penstock.subjects.bus import Ack, OnAck
from penstock.subjects.errors import BusError, StreamFullError, WrongLastSequenceError
from penstock.subjects.nats_connection import Connection

ACK_TIMEOUT_S = 2.0
_SWEEP_S = 0.25
_REFUSAL_S = 0.05
_WRONG_LAST = (10071, 10164)


class ApiError(msgspec.Struct):
    """A refusal in the broker's words."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class _PubAck(msgspec.Struct):
    seq: int = 0
    duplicate: bool = False
    error: ApiError | None = None


_decode_ack = msgspec.json.Decoder(_PubAck).decode


class Appender:
    """Sends appends and calls each `on_ack` exactly once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._tokens = itertools.count(1)
        self._waiting: dict[bytes, tuple[float, OnAck]] = {}
        self._inbox = connection.inbox + b".a."
        self._sweeper: asyncio.TimerHandle | None = None
        connection.subscribe(self._inbox + b"*", self._on_ack)
        # First of all hooks: who hears of the loss finds its appends answered.
        connection.connection_hooks.insert(0, self._on_connection)

    def append(self, subject: str, payload: bytes, on_ack: OnAck, *, header: bytes = b"") -> None:
        """Publish into a stream. `header` holds lines of the protocol, each ended by CR LF."""
        connection = self._connection
        if not connection.is_live or connection.is_stalled:
            self._loop.call_later(_REFUSAL_S, on_ack, BusError("the broker is not reachable"))
            return
        if len(payload) > connection.payload_bytes_max:
            # The broker would close the connection for it, again at each try.
            error = BusError(f"{len(payload)} bytes are more than the broker takes in one message")
            self._loop.call_later(_REFUSAL_S, on_ack, error)
            return
        token = b"%x" % next(self._tokens)
        self._waiting[token] = (self._loop.time() + ACK_TIMEOUT_S, on_ack)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(_SWEEP_S, self._sweep)
        address = (subject.encode(), self._inbox, token)
        if header:
            block = b"NATS/1.0\r\n%b\r\n" % header
            sizes = (len(block), len(block) + len(payload))
            line = b"HPUB %b %b%b %d %d\r\n%b%b\r\n"
            connection.write(line % (*address, *sizes, block, payload))
        else:
            connection.write(b"PUB %b %b%b %d\r\n%b\r\n" % (*address, len(payload), payload))

    async def append_and_wait(self, subject: str, payload: bytes, header: bytes = b"") -> Ack:
        """`append`, awaited."""
        future: asyncio.Future[Ack] = self._loop.create_future()

        def on_ack(ack: Ack | Exception) -> None:
            if future.done():
                return
            if isinstance(ack, Exception):
                future.set_exception(ack)
            else:
                future.set_result(ack)

        self.append(subject, payload, on_ack, header=header)
        return await future

    def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._fail_all("the bus was closed")

    def _on_ack(self, subject: bytes, _reply: bytes, header: bytes, payload: bytes) -> None:
        waiting = self._waiting.pop(subject[len(self._inbox) :], None)
        if waiting is None:
            return
        on_ack = waiting[1]
        if header:
            on_ack(BusError("no stream holds this subject, or JetStream is not available"))
            return
        ack = _decode_ack(payload)
        on_ack(Ack(ack.seq, ack.duplicate) if ack.error is None else refusal_of(ack.error))

    def _sweep(self) -> None:
        self._sweeper = None
        now = self._loop.time()
        late = []
        for token, (deadline, _) in self._waiting.items():
            if deadline > now:
                break
            late.append(token)
        for token in late:
            waiting = self._waiting.pop(token, None)
            if waiting is not None:
                waiting[1](BusError("no acknowledgement in time: it may have been stored"))
        if self._waiting and self._sweeper is None:
            self._sweeper = self._loop.call_later(_SWEEP_S, self._sweep)

    def _on_connection(self, is_live: bool) -> None:
        if not is_live:
            self._fail_all("the connection was lost: it may have been stored")

    def _fail_all(self, why: str) -> None:
        waiting, self._waiting = self._waiting, {}
        for _, on_ack in waiting.values():
            on_ack(BusError(why))


def refusal_of(error: ApiError) -> BusError:
    """The broker's refusal as one of our errors."""
    if error.err_code in _WRONG_LAST:
        return WrongLastSequenceError(error.description)
    if "maximum" in error.description and "exceeded" in error.description:
        return StreamFullError(error.description)
    return BusError(f"{error.description} ({error.err_code})")
