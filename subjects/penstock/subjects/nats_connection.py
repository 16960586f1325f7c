"""A connection to NATS that renews itself: subscriptions, requests and a publish path of its own.

nats-py publishes with a coroutine, a queue and a future per message; here everything written in
one tick of the event loop leaves in one write (see `nats_client` for the rest that is replaced).
Subscriptions are sent again after a reconnect before anybody hears of the reconnect, so nothing
that a hook sends can be answered into nowhere.

While disconnected, writes are dropped. Requests that are open when the connection is lost fail
at once.
"""

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable
from typing import Any

from penstock.subjects.errors import BusError, PenstockError
from penstock.subjects.nats_client import Deliver, WireClient

OnReply = Callable[[bytes, bytes | Exception], None]
"""Called once with header block and payload, or with an error."""

PENDING_BYTES_MAX = 64 * 1024 * 1024
"""Unsent bytes beyond which the broker counts as stalled: better refuse than grow."""

_PING_INTERVAL_S = 2
_OUTSTANDING_PINGS_MAX = 2
_RECONNECT_WAIT_S: Any = 0.1  # nats-py declares whole seconds but sleeps any
_TICK_S = 1.0
_SID_FIRST = 1_000_000

log = logging.getLogger("penstock.bus")


class Connection:
    """Subscriptions, writes and requests over one connection that renews itself."""

    def __init__(self, role: str) -> None:
        self.inbox = f"_INBOX.{role}.{secrets.token_hex(8)}".encode()
        self.batch_hooks: list[Callable[[], None]] = []
        self.connection_hooks: list[Callable[[bool], None]] = []
        self.tick_hooks: set[Callable[[], None]] = set()
        self.is_live = False
        self._loop = asyncio.get_running_loop()
        self._client = WireClient(self._after_read)
        self._numbers = itertools.count(_SID_FIRST)
        self._subscriptions: dict[bytes, tuple[bytes, bytes]] = {}
        self._unsent: list[bytes] = []
        self._asked: dict[bytes, tuple[asyncio.TimerHandle, OnReply]] = {}
        self._offered: dict[bytes, Callable[[], None]] = {}
        self._offered_before: dict[bytes, Callable[[], None]] = {}
        self._ticker: asyncio.TimerHandle | None = None

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        role: str,
        credentials: tuple[str, str],
        name: str,
    ) -> "Connection":
        """Connect to the broker, or to any of several separated by commas, trying for as long as
        the caller waits."""
        if any(one.startswith(("ws:", "wss:")) for one in url.split(",")):
            raise PenstockError(
                "the broker cannot be reached over WebSocket",
                remedy="give its address as nats://HOST:PORT or tls://HOST:PORT",
            )
        connection = cls(role)
        options: dict[str, Any] = {}
        if credentials[0]:
            options |= {"user": credentials[0], "password": credentials[1]}
        await connection._client.connect(
            url.split(","),
            name=name,
            ping_interval=_PING_INTERVAL_S,
            max_outstanding_pings=_OUTSTANDING_PINGS_MAX,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_RECONNECT_WAIT_S,
            error_cb=connection._on_error,
            disconnected_cb=connection._on_loss,
            reconnected_cb=connection._on_reconnect,
            inbox_prefix=connection.inbox,
            **options,
        )
        connection.is_live = True
        connection.subscribe(connection.inbox + b".r.*", connection._on_reply)
        connection.subscribe(connection.inbox + b".n.*", connection._on_nobody)
        connection._tick()
        return connection

    @property
    def is_connected(self) -> bool:
        return self.is_live and self._client.is_connected

    @property
    def payload_bytes_max(self) -> int:
        return self._client.max_payload

    def write(self, data: bytes) -> None:
        """Send protocol bytes at the end of this tick. Dropped while disconnected."""
        if not self.is_live:
            return
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(data)

    @property
    def is_stalled(self) -> bool:
        """Whether the broker does not read what we send."""
        return self._unsent_bytes() > PENDING_BYTES_MAX

    def publish(self, subject: bytes, payload: bytes, reply: bytes = b"") -> None:
        """Write one message."""
        self.write(b"PUB %b %b %d\r\n%b\r\n" % (subject, reply, len(payload), payload))

    def offer(self, subject: bytes, payload: bytes, on_nobody: Callable[[], None]) -> None:
        """`publish`; `on_nobody` is called if the broker soon says that nobody listens."""
        token = b"%d" % next(self._numbers)
        self._offered[token] = on_nobody
        self.publish(subject, payload, b"%b.n.%b" % (self.inbox, token))

    def subscribe(self, subject: bytes, deliver: Deliver, queue: bytes = b"") -> bytes:
        """Route `subject` to `deliver` until `unsubscribe`; the result is the sid."""
        sid = b"%d" % next(self._numbers)
        self._client.routes[sid] = deliver
        self._subscriptions[sid] = (subject, queue)
        self.write(b"SUB %b %b %b\r\n" % (subject, queue, sid))
        return sid

    def unsubscribe(self, sid: bytes) -> None:
        self._client.routes.pop(sid, None)
        if self._subscriptions.pop(sid, None) is not None:
            self.write(b"UNSUB %b\r\n" % sid)

    def ask(
        self, subject: bytes, payload: bytes, on_reply: OnReply, *, timeout_s: float = 2.0
    ) -> None:
        """Send a request; `on_reply` is called exactly once, with `BusError` after `timeout_s`."""
        token = b"%d" % next(self._numbers)
        timer = self._loop.call_later(timeout_s, self._expire, token, subject)
        self._asked[token] = (timer, on_reply)
        self.publish(subject, payload, b"%b.r.%b" % (self.inbox, token))

    async def request(
        self, subject: str, payload: bytes, timeout_s: float = 2.0
    ) -> tuple[bytes, bytes]:
        """`ask`, awaited: header block and payload of the answer."""
        if not self.is_live:
            raise BusError("the broker is not reachable")
        future: asyncio.Future[tuple[bytes, bytes]] = self._loop.create_future()

        def on_reply(header: bytes, answer: bytes | Exception) -> None:
            if future.done():
                return
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result((header, answer))

        self.ask(subject.encode(), payload, on_reply, timeout_s=timeout_s)
        return await future

    async def close(self) -> None:
        self._flush()
        self.is_live = False
        if self._ticker is not None:
            self._ticker.cancel()
        self._fail_asked("the bus was closed")
        await self._client.close()

    def _on_reply(self, subject: bytes, _reply: bytes, header: bytes, payload: bytes) -> None:
        asked = self._asked.pop(subject[len(self.inbox) + 3 :], None)
        if asked is not None:
            asked[0].cancel()
            asked[1](header, payload)

    def _on_nobody(self, subject: bytes, _reply: bytes, header: bytes, _payload: bytes) -> None:
        token = subject[len(self.inbox) + 3 :]
        on_nobody = self._offered.pop(token, None) or self._offered_before.pop(token, None)
        if on_nobody is not None and header.startswith(b"NATS/1.0 503"):
            on_nobody()

    def _expire(self, token: bytes, subject: bytes) -> None:
        _, on_reply = self._asked.pop(token)
        on_reply(b"", BusError(f"no answer on {subject.decode()} in time"))

    def _fail_asked(self, why: str) -> None:
        asked, self._asked = self._asked, {}
        for timer, on_reply in asked.values():
            timer.cancel()
            on_reply(b"", BusError(why))

    def _unsent_bytes(self) -> int:
        writer = self._writer()
        return writer.transport.get_write_buffer_size() if writer is not None else 0

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        writer = self._writer()
        if unsent and self.is_connected and writer is not None:
            writer.write(b"".join(unsent))

    def _writer(self) -> asyncio.StreamWriter | None:
        """Where to write, while it is open: uvloop raises where asyncio lets go of what is written
        to a connection that is closed, and the client hears of that only some turns later."""
        writer: asyncio.StreamWriter | None = getattr(self._client._transport, "_io_writer", None)
        return None if writer is None or writer.is_closing() else writer

    def _after_read(self) -> None:
        for hook in self.batch_hooks:
            try:
                hook()
            except Exception:
                log.exception("a batch hook failed")

    def _tick(self) -> None:
        self._ticker = self._loop.call_later(_TICK_S, self._tick)
        # One that was not refused by now has been delivered; most never hear anything.
        self._offered_before, self._offered = self._offered, {}
        for hook in tuple(self.tick_hooks):
            hook()

    async def _on_loss(self) -> None:
        self.is_live = False
        self._unsent.clear()
        self._fail_asked("the connection to the broker was lost")
        self._tell(False)

    async def _on_reconnect(self) -> None:
        lines = [
            b"SUB %b %b %b\r\n" % (subject, queue, sid)
            for sid, (subject, queue) in self._subscriptions.items()
        ]
        self.is_live = True
        self.write(b"".join(lines))
        self._tell(True)

    def _tell(self, is_live: bool) -> None:
        for hook in tuple(self.connection_hooks):
            try:
                hook(is_live)
            except Exception:
                log.exception("a connection hook failed")

    async def _on_error(self, error: Exception) -> None:
        log.warning("nats: %s", error)
