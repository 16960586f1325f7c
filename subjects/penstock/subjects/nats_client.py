"""nats-py's client with its slow parts replaced: the parser, and how messages reach receivers.

Kept from nats-py: dialling, TLS, authentication, server discovery, pings, endless reconnects.
Replaced, because its cost per message is what limits us (measured: 463 instead of 280 µs of CPU
per workflow on the busiest layout, 225 instead of 176 on the next):

- its parser, which runs up to seven regular expressions and an `await` per message. `FastParser`
  splits the control line and calls a plain function; other verbs fall to nats-py's own.
- its subscriptions, which have a task and a queue each. Ours are functions by sid.

`nats_connection` replaces the third, its publish path. What we touch of nats-py is private to it,
so its version is pinned in pyproject.toml and checked at import (`nats_py`): a new version is a
decision, made by running the contract suite.

Two of nats-py's habits are overruled: an error from the server, whatever it is, leads to a
reconnect, never to a closed client; and an exception in a receiver does not end the read loop.
"""

import logging
from collections.abc import Callable

from penstock.subjects.nats_py import Client, NatsError, Parser

Deliver = Callable[[bytes, bytes, bytes, bytes], None]
"""Called with subject, reply, header block (empty without one) and payload."""

_MSG, _HMSG = 77, 72

log = logging.getLogger("penstock.bus")


class FastParser(Parser):
    """Reads MSG and HMSG itself and calls `routes[sid]`; leaves the rest to nats-py."""

    def __init__(self, client: "WireClient") -> None:
        self.client = client
        self.generation = 0
        self.needed_bytes = 0
        super().__init__(client)

    def reset(self) -> None:
        super().reset()
        self.generation += 1
        self.needed_bytes = 0

    async def parse(self, data: bytes = b"") -> None:
        if self.buf:
            self.buf += data
            if len(self.buf) < self.needed_bytes:
                return
            data = bytes(self.buf)
            self.buf.clear()
        generation = self.generation
        position = 0
        while True:
            position, line_end = self._messages(data, position)
            if line_end < 0:
                break
            await super().parse(data[position:line_end])
            if generation != self.generation:
                # The connection was given up meanwhile: the rest belongs to nobody.
                return
            position = line_end
        self.buf += data[position:]
        self.client.after_read()

    def _messages(self, data: bytes, position: int) -> tuple[int, int]:
        """Deliver complete messages from `position`.

        Returns where it stopped, and the end of the line of another verb found there (-1: the
        data ended).
        """
        routes = self.client.routes
        find = data.find
        size = len(data)
        self.needed_bytes = 0
        while position < size:
            line_end = find(b"\r\n", position)
            if line_end < 0:
                return position, -1
            verb = data[position]
            if verb == _MSG:
                words = data[position + 4 : line_end].split(b" ")
                payload_at = line_end + 2
                end = payload_at + int(words[-1])
                has_reply = len(words) == 4
            elif verb == _HMSG:
                words = data[position + 5 : line_end].split(b" ")
                payload_at = line_end + 2 + int(words[-2])
                end = line_end + 2 + int(words[-1])
                has_reply = len(words) == 5
            else:
                return position, line_end + 2
            if end + 2 > size:
                self.needed_bytes = end + 2 - position
                return position, -1
            route = routes.get(words[1])
            if route is not None:
                try:
                    route(
                        words[0],
                        words[2] if has_reply else b"",
                        data[line_end + 2 : payload_at],
                        data[payload_at:end],
                    )
                except Exception:
                    log.exception("a receiver of %s failed", words[0].decode(errors="replace"))
            position = end + 2
        return position, -1


class WireClient(Client):
    """nats-py's client with our parser, and without its habit of closing itself on errors."""

    def __init__(self, after_read: Callable[[], None]) -> None:
        super().__init__()
        self.routes: dict[bytes, Deliver] = {}
        self.after_read = after_read
        self._ps = FastParser(self)

    async def _process_err(self, err_msg: str) -> None:
        if "permissions violation" in err_msg:
            await self._error_cb(NatsError(err_msg))
        else:
            log.warning("the broker says %s: connecting again", err_msg)
            await self._process_op_err(NatsError(err_msg))
