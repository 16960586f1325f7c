"""The bus on NATS JetStream.

`NatsBus.connect` waits for a broker as long as it takes (or `wait_s`), and from then on an outage
is something that `on_connection` tells and that appends answer with `BusError`; nothing has to be
set up again by the caller. See `nats_connection` for what stands under it and why, `nats_pull`
for following and working, `bus.py` for what is promised.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from penstock.subjects.bus import Message, OnAck, OnMessage, Subscription, WorkSubscription
from penstock.subjects.errors import BusError, PenstockError
from penstock.subjects.nats_append import ACK_TIMEOUT_S, ApiError, Appender, refusal_of
from penstock.subjects.nats_bucket import NatsBucket
from penstock.subjects.nats_connection import Connection
from penstock.subjects.nats_pull import Follow, Work, consumer_config
from penstock.subjects.nats_read import last_stored, stored_at
from penstock.subjects.streams import ConsumerSpec, StreamSpec

_NS = 1_000_000_000

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class _CoreSubscription:
    def __init__(self, connection: Connection, sid: bytes) -> None:
        self._connection = connection
        self._sid = sid

    def close(self) -> None:
        self._connection.unsubscribe(self._sid)


class NatsBus:
    """A `Bus` and a `StreamAdmin`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._appender = Appender(connection)

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        user: str = "",
        password: str = "",
        name: str = "penstock",
        wait_s: float | None = None,
    ) -> "NatsBus":
        """Connect as `user`, over TLS when the scheme is `tls`; `BusError` after `wait_s`.

        `url` names one broker, or those of a cluster separated by commas.

        The inbox prefix is `_INBOX.<user>`: the only inbox that this user needs to subscribe.
        """
        opening = Connection.open(url, role=user or "any", credentials=(user, password), name=name)
        try:
            async with asyncio.timeout(wait_s):
                return cls(await opening)
        except TimeoutError as error:
            raise BusError(
                "cannot connect to the broker",
                remedy="see that nats-server runs, and that address and password are right",
            ) from error

    @property
    def is_connected(self) -> bool:
        return self.connection.is_connected

    def publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        self._check_size(payload)
        if not self.connection.is_stalled:
            self.connection.publish(subject.encode(), payload, reply.encode())

    def offer(self, subject: str, payload: bytes, on_nobody: Callable[[], None]) -> None:
        self._check_size(payload)
        if not self.connection.is_stalled:
            self.connection.offer(subject.encode(), payload, on_nobody)

    def append(
        self,
        subject: str,
        payload: bytes,
        on_ack: OnAck,
        *,
        message_id: str = "",
        expected_last: int | None = None,
    ) -> None:
        header = b""
        if message_id:
            header = b"Nats-Msg-Id: %b\r\n" % _header_value(message_id)
        if expected_last is not None:
            header += b"Nats-Expected-Last-Subject-Sequence: %d\r\n" % expected_last
        self._check_size(payload)
        self._appender.append(subject, payload, on_ack, header=header)

    def subscribe(self, subject: str, on_message: OnMessage, queue: str = "") -> Subscription:
        def deliver(name: bytes, reply: bytes, _header: bytes, payload: bytes) -> None:
            on_message(Message(name.decode(), payload, 0, reply.decode()))

        sid = self.connection.subscribe(subject.encode(), deliver, queue.encode())
        return _CoreSubscription(self.connection, sid)

    def follow(self, stream: str, subject: str, start: int, on_message: OnMessage) -> Subscription:
        follow = Follow(self.connection, stream, subject, start=start, on_message=on_message)
        follow.start()
        return follow

    async def work(
        self, stream: str, name: str, subject: str, on_message: OnMessage
    ) -> WorkSubscription:
        spec = ConsumerSpec(stream=stream, name=name, subject=subject)
        work = Work(self.connection, spec, on_message)
        work.start()
        try:
            async with asyncio.timeout(ACK_TIMEOUT_S):
                await asyncio.shield(work.joined)
        except TimeoutError as error:
            work.close()
            raise BusError(f"cannot join the consumer {name} of {stream}") from error
        return work

    async def request(self, subject: str, payload: bytes, timeout_s: float = 2.0) -> bytes:
        header, answer = await self.connection.request(subject, payload, timeout_s)
        if header.startswith(b"NATS/1.0 503"):
            raise BusError(f"nobody answers on {subject}")
        return answer

    async def last(self, stream: str, subject: str) -> Message | None:
        stored = await last_stored(self.connection, stream, subject)
        return None if stored is None else Message(subject, stored.payload, stored.sequence)

    async def holds(self, stream: str, sequence: int) -> bool:
        return await stored_at(self.connection, stream, sequence) is not None

    async def purge(self, stream: str, subject: str, before: int = 0) -> None:
        body = {"filter": subject, "seq": before} if before else {"filter": subject}
        await self.api(f"STREAM.PURGE.{stream}", body)

    async def info(self, stream: str) -> dict[str, int]:
        told = await self.api(f"STREAM.INFO.{stream}")
        state = told["state"]
        return {
            "messages": state["messages"],
            "bytes": state["bytes"],
            "bytes_max": told["config"]["max_bytes"],
            "first": state["first_seq"],
            "last": state["last_seq"],
            "consumers": state["consumer_count"],
            "created": _instant_ns(told["created"]),
        }

    def bucket(self, name: str) -> NatsBucket:
        return NatsBucket(self.connection, self._appender, name)

    def on_batch(self, hook: Callable[[], None]) -> None:
        self.connection.batch_hooks.append(hook)

    def on_connection(self, hook: Callable[[bool], None]) -> None:
        self.connection.connection_hooks.append(hook)

    async def close(self) -> None:
        await self.connection.close()
        self._appender.close()

    async def api(self, verb: str, body: Any = None) -> Any:
        """One call of the JetStream API; `BusError` with the broker's own words."""
        payload = b"" if body is None else _encode(body)
        answer = _decode(await self.request(f"$JS.API.{verb}", payload, 5.0))
        if "error" in answer:
            raise refusal_of(msgspec.convert(answer["error"], ApiError))
        return answer

    async def declare_stream(self, spec: StreamSpec, max_bytes: int) -> None:
        config = stream_config(spec, max_bytes)
        try:
            await self.api(f"STREAM.UPDATE.{spec.name}", config)
        except BusError as error:
            if "not found" not in error.message:
                raise PenstockError(f"stream {spec.name}: {error.message}") from error
            await self.api(f"STREAM.CREATE.{spec.name}", config)

    async def declare_consumer(self, spec: ConsumerSpec) -> None:
        body = {"stream_name": spec.stream, "config": consumer_config(spec)}
        await self.api(f"CONSUMER.CREATE.{spec.stream}.{spec.name}.{spec.subject}", body)

    def _check_size(self, payload: bytes) -> None:
        # The broker closes the connection of whoever sends more than it takes.
        if len(payload) > self.connection.payload_bytes_max:
            raise BusError(f"{len(payload)} bytes are more than the broker takes in one message")


def stream_config(spec: StreamSpec, max_bytes: int) -> dict[str, Any]:
    """A stream in the words of the broker's API."""
    return {
        "name": spec.name,
        "subjects": list(spec.subjects),
        "storage": spec.storage,
        "retention": spec.retention,
        "discard": spec.discard,
        "max_bytes": max_bytes,
        "max_age": int(spec.max_age_s * _NS),
        "max_msgs_per_subject": spec.per_subject_max,
        "duplicate_window": int(spec.duplicate_window_s * _NS),
        "allow_direct": True,
        "num_replicas": spec.replicas,
        "allow_rollup_hdrs": spec.is_bucket,
        "deny_delete": spec.is_bucket,
    }


def _instant_ns(text: str) -> int:
    """`2026-01-31T10:00:00.123456789Z` since 1970; `datetime` alone stops at microseconds."""
    seconds, _, fraction = text.rstrip("Z").partition(".")
    whole = datetime.fromisoformat(f"{seconds}+00:00").timestamp()
    return int(whole) * _NS + int(fraction.ljust(9, "0")[:9])


def _header_value(text: str) -> bytes:
    assert "\r" not in text and "\n" not in text, "a header value may not hold line ends"
    return text.encode()
