"""uvicorn's HTTP protocol, with one write for each answer and a limit on a request's head.

ASGI sends an answer's head and body as two events, and uvicorn writes each at once: two system
calls, which cost a third of the gateway's time under load. Here writes of one turn of the event
loop are joined. Order, flow control and closing are the transport's own, only later by one turn.

uvicorn with httptools reads a head of any size into memory; here one larger than `HEAD_BYTES_MAX`
is refused with 431 and the connection closed.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX = 64 * 1024

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/problem+json\r\n"
    b"content-length: 58\r\nconnection: close\r\n\r\n"
    b'{"title":"Request Header Fields Too Large","status":431}\r\n'
)


class JoiningTransport:
    """Stands before a transport and joins what is written in one turn."""

    __slots__ = ("_chunks", "_loop", "_transport", "is_closing")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._chunks: list[bytes] = []
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Send with everything else that this turn writes."""
        if not self._chunks:
            self._loop.call_soon(self._flush)
        self._chunks.append(data)

    def _flush(self) -> None:
        chunks, self._chunks = self._chunks, []
        if len(chunks) == 1:
            self._transport.write(chunks[0])
        elif chunks:
            self._transport.write(b"".join(chunks))

    def close(self) -> None:
        """Send what was written, then close."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class GatewayProtocol(HttpToolsProtocol):
    """See the module's text."""

    _head_bytes = -1
    """Bytes of the head that is being read; -1 outside of heads."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        joining: Any = JoiningTransport(transport, self.loop)  # type: ignore[arg-type]
        super().connection_made(joining)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._head_bytes = -1
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_bytes >= 0:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._head_bytes = -1
                self.transport.write(_TOO_LARGE)
                self.transport.close()
