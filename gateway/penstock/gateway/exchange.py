"""One request and its answer, on the short way.

uvicorn's cycle takes an answer as two ASGI events and a body as a wait for an event, which is
right for any application and costs more than most of our answers do. Here a body that has come
whole is handed over without waiting, and an answer that is whole is one write. Everything else,
and every answer in parts, goes uvicorn's way.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from penstock.gateway.problems import Headers

_NO_BODY = frozenset({204, 304})
_CLOSE = (b"connection", b"close")


class Exchange(RequestResponseCycle):
    """See the module's text."""

    _is_body_told = False

    async def receive(self) -> Any:
        """The next ASGI event: once, a body that is there already; after that uvicorn's."""
        if (
            self._is_body_told
            or self.more_body
            or self.disconnected
            or self.response_complete
            or self.waiting_for_100_continue
        ):
            event = await super().receive()
            self._is_body_told = not event.get("more_body")
            return event
        self._is_body_told = True
        self.message_event.clear()
        self.flow.resume_reading()
        body, self.body = bytes(self.body), bytearray()
        return {"type": "http.request", "body": body, "more_body": False}

    def send_whole(self, status: int, headers: Headers, body: bytes) -> bool:
        """Send an answer, whose header names are lower-case tokens (the caller's duty); false when
        that is for uvicorn: the client is slow or gone, something was sent already, or the
        answer's length is not told.

        Raises RuntimeError for line breaks and NUL, which would break the answer apart.
        """
        if self.response_started or self.disconnected or self.flow.write_paused:
            return False
        told = [*self.default_headers, *headers]
        length = self._framing(told)
        if self.scope["method"] == "HEAD":
            body = b""
        elif length != len(body) and (body or status not in _NO_BODY):
            return False
        if not self.keep_alive and _CLOSE not in told:
            told.append(_CLOSE)
        head = b"".join([STATUS_LINE[status], *[b"%b: %b\r\n" % header for header in told]])
        lines = len(told) + 1
        if head.count(b"\n") != lines or head.count(b"\r") != lines or b"\0" in head:
            raise RuntimeError("a header's name or value would break the answer apart")
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(b"%b\r\n%b" % (head, body))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True

    def _framing(self, headers: Headers) -> int:
        """What headers say about the connection; the length that they tell of the body, or -1."""
        length = -1
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                return -1
            elif name == b"connection" and b"close" in value.lower():
                self.keep_alive = False
        return length
