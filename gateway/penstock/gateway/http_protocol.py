"""uvicorn's HTTP protocol with one write for each answer instead of two.

ASGI sends an answer's head and body as two events, and uvicorn writes each at once: two system
calls, which cost a third of the gateway's time under load. Here writes of one turn of the event
loop are joined. Order, flow control and closing are the transport's own, only later by one turn.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


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


class JoiningProtocol(HttpToolsProtocol):
    """See the module's text."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        joining: Any = JoiningTransport(transport, self.loop)  # type: ignore[arg-type]
        super().connection_made(joining)
