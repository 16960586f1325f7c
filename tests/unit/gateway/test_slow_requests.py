"""Requests that do not come on or are too large: what they may hold, and how they are told."""

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from penstock.gateway.answers import Answer
from penstock.gateway.http_protocol import BYTES_PER_TICK, PATIENCE, GatewayProtocol

KEEP_ALIVE_S = 4 * PATIENCE
POST = b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"


class Wire(asyncio.Transport):
    """The client's end of a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.sent += data

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def connected(wire: Wire, application: Any) -> GatewayProtocol:
    """Our end of a connection whose requests `application` answers."""
    config = uvicorn.Config(
        application,
        interface="asgi3",
        ws="none",
        lifespan="off",
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    config.load()
    protocol = GatewayProtocol(config, ServerState(), {}, asyncio.get_running_loop())
    protocol.connection_made(wire)
    return protocol


class Connection:
    """A connection to an application that reads a body whole and answers when it may."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.has_body = asyncio.Event()
        self.wire = Wire()
        self.protocol = connected(self.wire, self._answer)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        while (event := await receive())["type"] == "http.request" and event["more_body"]:
            pass
        self.has_body.set()
        await self.may_answer.wait()
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    async def pass_seconds(self, count: int, each: bytes = b"") -> None:
        """Let time pass; `each` comes in every second while the connection is open."""
        for _ in range(count):
            if each and not self.wire.is_closed:
                self.protocol.data_received(each)
            for _ in range(5):
                await asyncio.sleep(0)
            self.protocol.tick()

    @property
    def status(self) -> bytes:
        return self.wire.sent.partition(b"\r\n")[0]


async def test_a_head_that_trickles_in_is_ended_however_steadily_it_comes() -> None:
    slow = Connection()
    slow.protocol.data_received(b"GET / HTTP/1.1\r\n")

    await slow.pass_seconds(PATIENCE - 1, b"x-a: b\r\n")
    assert not slow.wire.is_closed
    await slow.pass_seconds(1, b"x-a: b\r\n")

    assert (slow.status, slow.wire.is_closed) == (b"HTTP/1.1 408 Request Timeout", True)
    assert b"application/problem+json" in slow.wire.sent


async def test_who_connects_and_asks_nothing_is_let_go_without_a_word() -> None:
    silent = Connection()

    await silent.pass_seconds(PATIENCE)

    assert (silent.wire.sent, silent.wire.is_closed) == (b"", True)


@pytest.mark.parametrize("each", [b"", b"x" * 100])
async def test_a_body_that_stalls_or_trickles_is_ended(each: bytes) -> None:
    slow = Connection()
    slow.protocol.data_received(POST % 1_000_000)

    await slow.pass_seconds(PATIENCE - 1, each)
    assert not slow.wire.is_closed
    await slow.pass_seconds(1, each)

    assert (slow.status, slow.wire.is_closed) == (b"HTTP/1.1 408 Request Timeout", True)
    assert b'"remedy":"send it within' in slow.wire.sent
    slow.protocol.connection_lost(None)
    await asyncio.wait_for(slow.has_body.wait(), 5)


async def test_a_large_body_may_take_its_time_while_it_keeps_moving() -> None:
    steady = Connection()
    steady.protocol.data_received(POST % (3 * PATIENCE * BYTES_PER_TICK))

    await steady.pass_seconds(3 * PATIENCE, b"x" * BYTES_PER_TICK)

    assert (steady.status, steady.wire.is_closed) == (b"HTTP/1.1 200 OK", False)


async def test_a_body_that_came_fast_has_no_more_time_for_a_stall() -> None:
    fast = Connection()
    fast.protocol.data_received(POST % 50_000_000)

    await fast.pass_seconds(2, b"x" * (100 * BYTES_PER_TICK))
    await fast.pass_seconds(PATIENCE)

    assert fast.status == b"HTTP/1.1 408 Request Timeout"


async def test_who_waits_for_an_answer_or_is_idle_after_it_is_left_alone_for_long() -> None:
    waits = Connection()
    waits.may_answer.clear()
    waits.protocol.data_received(POST % 2 + b"{}")

    await waits.pass_seconds(3 * PATIENCE)
    assert (waits.wire.sent, waits.wire.is_closed) == (b"", False)

    waits.may_answer.set()
    await waits.pass_seconds(KEEP_ALIVE_S)
    assert (waits.status, waits.wire.is_closed) == (b"HTTP/1.1 200 OK", False)

    await waits.pass_seconds(1)
    assert waits.wire.is_closed


async def test_each_request_begins_the_time_anew_after_which_an_idle_connection_is_closed() -> None:
    asks = Connection()
    for _ in range(3):
        asks.wire.sent = b""
        asks.protocol.data_received(POST % 2 + b"{}")
        await asks.pass_seconds(KEEP_ALIVE_S)
        assert (asks.status, asks.wire.is_closed) == (b"HTTP/1.1 200 OK", False)

    await asks.pass_seconds(2)
    assert asks.wire.is_closed


async def test_blank_lines_do_not_keep_an_idle_connection() -> None:
    idle = Connection()
    idle.protocol.data_received(POST % 2 + b"{}")

    await idle.pass_seconds(KEEP_ALIVE_S + 2, b"\r\n")

    assert (idle.status, idle.wire.is_closed) == (b"HTTP/1.1 200 OK", True)


async def answered_early(body: bytes) -> tuple[Wire, GatewayProtocol]:
    """A connection whose request of ten bytes was answered before `body` came in."""
    wire = Wire()

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await Answer(200, [(b"content-length", b"2")], b"ok").send(send)

    protocol = connected(wire, answer)
    for part in (POST % 10, body):
        protocol.data_received(part)
        for _ in range(5):
            await asyncio.sleep(0)
    assert wire.sent.endswith(b"ok")
    return wire, protocol


async def test_a_body_that_comes_after_its_answer_ends_the_request() -> None:
    wire, protocol = await answered_early(b"0123456789")

    for _ in range(KEEP_ALIVE_S):
        protocol.tick()
    assert not wire.is_closed

    protocol.data_received(b"POST")
    protocol.tick()
    assert not wire.is_closed


async def test_a_body_that_stalls_after_its_answer_ends_the_connection() -> None:
    wire, protocol = await answered_early(b"01234")

    for _ in range(PATIENCE):
        protocol.tick()

    assert wire.is_closed
    assert wire.sent.count(b"HTTP/1.1") == 1


async def test_what_is_no_http_gets_its_refusal_as_a_problem() -> None:
    odd = Connection()

    odd.protocol.data_received(b"NONSENSE\r\n\r\n")

    assert (odd.status, odd.wire.is_closed) == (b"HTTP/1.1 400 Bad Request", True)
    assert b"content-type: application/problem+json\r\n" in odd.wire.sent
    assert b'"remedy"' in odd.wire.sent


async def test_a_connection_whose_next_request_has_begun_is_not_closed_by_draining() -> None:
    idle, begun = Connection(), Connection()
    begun.protocol.data_received(b"GET / HTTP/1.1\r\nhost: x\r\n")

    for one in (idle, begun):
        one.protocol.shutdown()
    assert (idle.wire.is_closed, begun.wire.is_closed) == (True, False)

    begun.protocol.data_received(b"\r\n")
    await begun.pass_seconds(1)
    assert begun.status == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", b"414"),
        (b"GET /x?" + b"x" * 80_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx-a: " + b"x" * 80_000, b"431"),
        (POST % 99_999_999_999, b"413"),
        (b"GET / HTTP/7\r\n\r\n", b"400"),
    ],
    ids=["path", "query", "header", "body", "version"],
)
@pytest.mark.parametrize("piece", [1 << 20, 1 << 14])
async def test_what_is_larger_than_anything_is_refused_at_once_by_its_name(
    request_: bytes, status: bytes, piece: int
) -> None:
    large = Connection()

    for start in range(0, len(request_), piece):
        if not large.wire.is_closed:
            large.protocol.data_received(request_[start : start + piece])

    assert large.wire.is_closed
    assert large.status.split()[1] == status
    assert large.wire.sent.count(b"\r\n\r\n") == 1
    assert b"application/problem+json" in large.wire.sent
