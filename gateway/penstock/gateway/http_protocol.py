"""uvicorn's HTTP protocol, with less to do for each request and limits on how one may come.

An answer's head and body are joined to one system call: by `Exchange`, or else by uvloop, which
sends at the end of a turn of the event loop what was written during it.

uvicorn with httptools reads a head of any size into memory; here one larger than `HEAD_BYTES_MAX`
is refused with 431 and the connection closed, a longer address with 414, and a body that is
declared larger than anything that would be read with 413, at once. What is no HTTP gets its 400 as
a problem, as all other refusals are.

uvicorn waits for ever for a request that does not come on. Here a connection whose request is not
complete has `PATIENCE` ticks (`tick`, once a second for all connections; no request has a timer).
A head must be complete by then. A body earns a tick back with every `BYTES_PER_TICK`, so a large
one may take its time while it keeps moving, and neither a stall nor a trickle holds on. Waiting
that we cause ourselves, by not reading, does not count. The same ticks end a connection that has
asked for nothing since its last answer for `timeout_keep_alive`.
"""

import asyncio
from collections.abc import Collection
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from penstock.gateway.bodies import BODY_BYTES_MAX, DRAIN_BYTES_MAX
from penstock.gateway.exchange import Exchange
from penstock.gateway.problems import CONTENT_TYPE, ProblemError, too_large_a_body

HEAD_BYTES_MAX = 64 * 1024
URL_BYTES_MAX = 60 * 1024
"""Below what the parser of addresses can take, and what a head may have."""
PATIENCE = 20
TICK_S = 1.0
BYTES_PER_TICK = 4 * 1024


class GatewayProtocol(HttpToolsProtocol):
    """See the module's text."""

    _head_bytes = -1
    """Bytes of the head that is being read; -1 outside of heads."""
    _patience = PATIENCE
    _received = 0
    """Bytes since the last tick."""
    _idle = 0
    """Ticks since the last answer."""
    _refusal: ProblemError | None = None
    """Why a callback of the parser has stopped it."""
    url = b""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = self._idle = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > URL_BYTES_MAX:
            detail = f"the address is larger than {URL_BYTES_MAX:,} bytes"
            self._stop(ProblemError(414, detail, remedy="send what is long in a body"))

    def on_headers_complete(self) -> None:
        self._head_bytes = -1
        for name, value in self.headers:
            if name == b"content-length" and int(value) > DRAIN_BYTES_MAX:
                self._stop(too_large_a_body(BODY_BYTES_MAX))
        version = self.parser.get_http_version()
        address = httptools.parse_url(self.url)
        path = address.path.decode("ascii")
        scope = self.scope
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["http_version"] = version
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = address.path
        scope["query_string"] = address.query or b""
        earlier, self.cycle = self.cycle, self._exchange(version)
        if earlier is None or earlier.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            # Sent before the answer to the one before: it waits for its turn.
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _exchange(self, version: str) -> Exchange:
        return Exchange(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )

    def _stop(self, refusal: ProblemError) -> None:
        """Called by the parser, which reads on unless a callback raises."""
        self._refusal = refusal
        raise refusal

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        super().data_received(data)
        if self._head_bytes >= 0:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse(ProblemError(431, f"the head is larger than {HEAD_BYTES_MAX:,} bytes"))

    def tick(self) -> None:
        """A second has passed: end the connection if its request has come too slowly."""
        received, self._received = self._received, 0
        if self.transport.is_closing():
            return
        if not self._is_waiting():
            self._patience = PATIENCE
            self._count_idle()
            return
        earned = 0 if self._head_bytes >= 0 else received // BYTES_PER_TICK
        self._patience = min(PATIENCE, self._patience + earned) - 1
        if self._patience > 0:
            return
        cycle = self.cycle
        if self._head_bytes < 0 and (cycle is None or cycle.response_started):
            self.transport.close()  # nothing was asked, or it is answered already
        else:
            self._refuse(
                ProblemError(
                    408,
                    "the request did not come on",
                    remedy=f"send it within {PATIENCE} s, or at {BYTES_PER_TICK:,} bytes a second",
                )
            )

    def _count_idle(self) -> None:
        """Close after too many ticks without a request; blank lines before one are none."""
        self._idle = self._idle + 1 if self.cycle.response_complete else 0
        if self._idle > self.timeout_keep_alive:
            self.transport.close()

    def on_message_complete(self) -> None:
        """uvicorn's leaves out requests that were answered before all of them had come."""
        self.cycle.more_body = False
        self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """uvicorn's, without a timer for each answer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def shutdown(self) -> None:
        """No more requests after this one, which may have begun to come in."""
        if self._head_bytes < 0:
            super().shutdown()

    def _is_waiting(self) -> bool:
        """Whether it is the client's turn to send the rest of a request."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            # More may be to come of a request that is answered already.
            return self._head_bytes >= 0 or cycle is None or cycle.more_body
        return cycle.more_body and not self.flow.read_paused and not cycle.waiting_for_100_continue

    def send_400_response(self, msg: str) -> None:
        remedy = "send HTTP/1.1 as RFC 9112 has it"
        problem = ProblemError(400, "this is not a request in HTTP", remedy=remedy)
        self._refuse(self._refusal or problem)

    def _refuse(self, problem: ProblemError) -> None:
        """Answer what no application sees, and close."""
        self._head_bytes = -1
        body = problem.body()
        self.transport.write(
            b"%scontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
            % (STATUS_LINE[problem.status], CONTENT_TYPE, len(body), body)
        )
        self.transport.close()


async def tick_all(connections: Collection[Any]) -> None:
    """Run for ever: tell each connection that a second has passed."""
    while True:
        await asyncio.sleep(TICK_S)
        for connection in tuple(connections):
            connection.tick()
