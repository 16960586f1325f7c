"""Pulls: how messages of a stream come to us, and how a lost consumer is replaced.

A pull names a consumer of the broker and asks it for batches. Everything that can go wrong ends
in the same place, `_begin`: a lost connection, a consumer that the broker forgot, a gap in the
consumer's own numbering, silence where a heartbeat was due. It looks whether the stream is still
the same one, and makes a consumer anew. A follower starts it after the last message delivered, so
its receiver sees neither gap nor repetition.

A broker that restarted has lost its streams in memory; the one of that name counts from 1 again. A
follower then reads it from there. A worker forgets what it was given: its acknowledgement names a
message by stream and sequence, and would remove another one, that nobody has done yet.
"""

import asyncio
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from penstock.subjects.bus import Message, OnMessage
from penstock.subjects.errors import BusError
from penstock.subjects.nats_connection import Connection
from penstock.subjects.streams import ConsumerSpec

FOLLOW_BATCH = 1000
# A node of a cluster that dies takes its consumers along without a word, also those of clients that
# are connected elsewhere: silence for this long is how they learn it.
_HEARTBEAT_S = 1
_SILENT_TICKS_MAX = 2
_EXPIRES_S = 30
_RETRY_S = 0.25
_NS = 1_000_000_000

# Statuses that end one request and nothing else; any other asks for a new consumer.
_ENDS_REQUEST = (b"408", b"404")
_ENDS_REQUEST_TEXTS = (b"Batch Completed", b"Message Size Exceeds MaxBytes")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def consumer_config(spec: ConsumerSpec) -> dict[str, Any]:
    """A work consumer in the words of the broker's API."""
    return {
        "durable_name": spec.name,
        "name": spec.name,
        "filter_subject": spec.subject,
        "ack_policy": "explicit",
        "ack_wait": int(spec.ack_wait_s * _NS),
        "max_deliver": -1,
        "max_ack_pending": spec.unacknowledged_max,
        "deliver_policy": "all",
        "replay_policy": "instant",
    }


def delivery_numbers(reply: bytes) -> tuple[int, int, int]:
    """Stream sequence, consumer sequence and messages still to come, from an ack subject."""
    words = reply.split(b".")
    first = 5 if len(words) == 9 else 7
    return int(words[first]), int(words[first + 1]), int(words[first + 3])


class Pull:
    """What followers and workers share: one consumer, one inbox, requests and their ends."""

    def __init__(self, connection: Connection, stream: str, subject: str) -> None:
        self.connection = connection
        self.stream = stream
        self.subject = subject
        self.consumer = ""
        self.requested = 0
        self.sequence = 0
        self.pending = 0
        self._next = 1
        self._stream_created = ""
        self._sid = b""
        self._inbox = b""
        self._generation = 0
        self._silent_ticks = 0
        self._is_ready = False
        self._is_closed = False
        self._retry: asyncio.TimerHandle | None = None
        connection.connection_hooks.insert(0, self._on_connection)
        connection.tick_hooks.add(self._on_tick)

    def close(self) -> None:
        """Deliver nothing more."""
        if self._is_closed:
            return
        self._is_closed = True
        self._generation += 1
        if self._retry is not None:
            self._retry.cancel()
        self.connection.connection_hooks.remove(self._on_connection)
        self.connection.tick_hooks.discard(self._on_tick)
        self.connection.unsubscribe(self._sid)

    def _create(self) -> None:
        """Make or find the consumer, then call `_created`."""
        raise NotImplementedError

    def _began_anew(self) -> None:
        """A hook: the stream is another one, whose sequences mean other messages."""

    def _on_data(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        """A message came; `sequence` and `pending` are its numbers."""
        raise NotImplementedError

    def _pull(self) -> None:
        """Ask for as many messages as are wanted."""
        raise NotImplementedError

    def _begin(self) -> None:
        self._generation += 1
        self._is_ready = False
        self.requested = 0
        self._silent_ticks = 0
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._sid:
            # A new inbox each time: what a former consumer still sends reaches nobody.
            self.connection.unsubscribe(self._sid)
            self._sid = b""
        if not self._is_closed and self.connection.is_live:
            self._inbox = self.connection.inbox + b".p." + secrets.token_hex(6).encode()
            self._sid = self.connection.subscribe(self._inbox, self._deliver)
            self._api(f"STREAM.INFO.{self.stream}", None, self._on_stream)

    def _begin_later(self) -> None:
        self._is_ready = False
        if self._retry is None and not self._is_closed:
            loop = asyncio.get_running_loop()
            self._retry = loop.call_later(_RETRY_S, self._begin)

    def _api(
        self, verb: str, body: Any, then: Callable[[dict[str, Any] | Exception], None]
    ) -> None:
        """Call the broker's API for this attempt; the answer to an older attempt is dropped."""
        on_reply = partial(self._on_api_reply, self._generation, then)
        payload = b"" if body is None else _encode(body)
        self.connection.ask(f"$JS.API.{verb}".encode(), payload, on_reply)

    def _on_api_reply(
        self,
        generation: int,
        then: Callable[[dict[str, Any] | Exception], None],
        header: bytes,
        payload: bytes | Exception,
    ) -> None:
        if generation != self._generation:
            return
        if isinstance(payload, Exception):
            then(payload)
        elif header:
            then(BusError(f"{self.stream}: JetStream is not available"))
        else:
            then(_decode(payload))

    def _on_stream(self, reply: dict[str, Any] | Exception) -> None:
        if isinstance(reply, Exception) or "error" in reply:
            self._begin_later()
            return
        is_another = self._stream_created not in ("", reply["created"])
        if is_another or _has_begun_anew(reply, self._next):
            self._next = 1
            self._began_anew()
        self._stream_created = reply["created"]
        self._create()

    def _created(self, reply: dict[str, Any] | Exception) -> None:
        if isinstance(reply, Exception) or "error" in reply:
            self._begin_later()
            return
        self._is_ready = True
        self._pull()

    def _request(self, batch: int) -> None:
        self.requested += batch
        body = {"batch": batch, "expires": _EXPIRES_S * _NS, "idle_heartbeat": _HEARTBEAT_S * _NS}
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self.stream}.{self.consumer}"
        self.connection.publish(subject.encode(), _encode(body), self._inbox)

    def _deliver(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        self._silent_ticks = 0
        if header.startswith(b"NATS/1.0 "):
            self._on_status(header)
            return
        self.sequence, number, self.pending = delivery_numbers(reply)
        self.requested -= 1
        self._on_number(number)
        if self._is_ready:
            self._on_data(subject, reply, header, payload)

    def _on_number(self, number: int) -> None:
        """A hook: look at a message's place in the consumer before it is delivered."""

    def _on_status(self, header: bytes) -> None:
        status = header[9:12]
        if status == b"100":
            return
        if status in _ENDS_REQUEST or any(text in header for text in _ENDS_REQUEST_TEXTS):
            self.requested -= min(self.requested, _unserved(header))
            if self._is_ready:
                self._pull()
        else:
            self._begin_later()

    def _on_connection(self, is_live: bool) -> None:
        self._begin()

    def _on_tick(self) -> None:
        self._silent_ticks += 1
        if self._silent_ticks > _SILENT_TICKS_MAX and self._is_ready and self.requested:
            self._begin()


class Follow(Pull):
    """Follows a subject of a stream by an ephemeral consumer without acknowledgements."""

    def __init__(
        self,
        connection: Connection,
        stream: str,
        subject: str,
        *,
        start: int,
        on_message: OnMessage,
    ) -> None:
        super().__init__(connection, stream, subject)
        self._next = max(start, 1)
        self._number = 0
        self._on_message = on_message

    def start(self) -> None:
        self._begin()

    def close(self) -> None:
        if not self._is_closed and self._is_ready:
            subject = f"$JS.API.CONSUMER.DELETE.{self.stream}.{self.consumer}"
            self.connection.publish(subject.encode(), b"")
        super().close()

    def _create(self) -> None:
        self.consumer = "f" + secrets.token_hex(8)
        self._number = 0
        config = {
            "name": self.consumer,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self._next,
            "ack_policy": "none",
            "filter_subject": self.subject,
            "replay_policy": "instant",
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": 2 * _EXPIRES_S * _NS,
        }
        verb = f"CONSUMER.CREATE.{self.stream}.{self.consumer}.{self.subject}"
        self._api(verb, {"stream_name": self.stream, "config": config}, self._created)

    def _pull(self) -> None:
        self._request(FOLLOW_BATCH)

    def _on_number(self, number: int) -> None:
        self._number += 1
        if number != self._number:
            self._begin()

    def _on_data(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        self._next = self.sequence + 1
        if self.requested * 2 <= FOLLOW_BATCH:
            self._pull()
        self._on_message(Message(subject.decode(), payload, self.sequence))


class Work(Pull):
    """Takes messages from a durable work consumer, as many as slots were offered."""

    def __init__(self, connection: Connection, spec: ConsumerSpec, on_message: OnMessage) -> None:
        super().__init__(connection, spec.stream, spec.subject)
        self.consumer = spec.name
        self.joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._spec = spec
        self._on_message = on_message
        self._wanted = 0
        self._is_scheduled = False
        self._out: set[str] = set()
        self._unsaid: list[str] = []
        """Acknowledgements for when it is known whether the stream is the same one."""

    def start(self) -> None:
        self._begin()

    def offer(self, slots: int) -> None:
        self._wanted += slots
        if not self._is_scheduled and self._is_ready:
            # Slots freed in one tick are asked for together.
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._pull)

    def ack(self, message: Message) -> None:
        if message.reply in self._out:
            self._out.remove(message.reply)
            if self._is_ready:
                self._say(message.reply, b"+ACK")
            else:
                self._unsaid.append(message.reply)

    def nak(self, message: Message) -> None:
        if message.reply in self._out:
            self._out.remove(message.reply)
            # Else the broker finds out by itself, when the acknowledgement does not come.
            if self._is_ready:
                self._say(message.reply, b"-NAK")

    def progress(self, message: Message) -> None:
        if message.reply in self._out and self._is_ready:
            self._say(message.reply, b"+WPI")

    def _say(self, reply: str, what: bytes) -> None:
        self.connection.publish(reply.encode(), what)

    def _began_anew(self) -> None:
        self._out.clear()
        self._unsaid.clear()

    def _create(self) -> None:
        # The declared consumer counts; only when a memory stream lost it is it made here.
        self._api(f"CONSUMER.INFO.{self.stream}.{self.consumer}", None, self._on_consumer)

    def _on_consumer(self, reply: dict[str, Any] | Exception) -> None:
        if isinstance(reply, dict) and "error" in reply and reply["error"].get("code") == 404:
            verb = f"CONSUMER.CREATE.{self.stream}.{self.consumer}.{self.subject}"
            body = {"stream_name": self.stream, "config": consumer_config(self._spec)}
            self._api(verb, body, self._created)
        else:
            self._created(reply)

    def _created(self, reply: dict[str, Any] | Exception) -> None:
        super()._created(reply)
        if not self._is_ready:
            return
        unsaid, self._unsaid = self._unsaid, []
        for ack in unsaid:
            self._say(ack, b"+ACK")
        if not self.joined.done():
            self.joined.set_result(None)

    def _pull(self) -> None:
        self._is_scheduled = False
        missing = self._wanted - self.requested
        if missing > 0 and self._is_ready:
            self._request(missing)

    def _on_data(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        self._wanted -= 1
        self._next = max(self._next, self.sequence + 1)
        message = Message(subject.decode(), payload, self.sequence, reply.decode())
        self._out.add(message.reply)
        self._on_message(message)


def _has_begun_anew(about: dict[str, Any], expected: int) -> bool:
    """Whether a cluster lost a memory stream: it makes it again with the old creation time."""
    is_in_memory: bool = about["config"]["storage"] == "memory"
    return is_in_memory and int(about["state"]["last_seq"]) < expected - 1


def _unserved(header: bytes) -> int:
    """How many messages a request that ended here had not been given."""
    for line in header.split(b"\r\n"):
        if line.startswith(b"Nats-Pending-Messages:"):
            return int(line[22:])
    return 0
