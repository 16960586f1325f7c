"""Requests and whole answers on one connection, byte by byte."""

import asyncio
from typing import Any

import pytest

from penstock.gateway.answers import Answer
from tests.unit.gateway.test_slow_requests import Wire, connected


class Echo:
    """A connection to an application that answers with the path and the body that it was sent."""

    def __init__(self, *headers: tuple[bytes, bytes], status: int = 200) -> None:
        self.headers = headers
        self.status = status
        self.writes: list[bytes] = []
        self.wire = Wire()
        self.wire.write = self.writes.append  # type: ignore[method-assign,assignment]
        self.protocol = connected(self.wire, self._answer)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            for _ in range(20):
                await asyncio.sleep(0)
        text = b""
        while (event := await receive())["type"] == "http.request":
            text += event["body"]
            if not event["more_body"]:
                break
        body = scope["path"].encode() + b"|" + scope["query_string"] + b"|" + text
        if self.status == 204:
            body = b""
        length = [(b"content-length", b"%d" % len(body))] if body else []
        await Answer(self.status, [*length, *self.headers], body).send(send)

    async def sent(self, *parts: bytes) -> bytes:
        """What comes back for `parts`, each of which arrives by itself."""
        for part in parts:
            self.protocol.data_received(part)
            for _ in range(40):
                await asyncio.sleep(0)
        return b"".join(self.writes)


async def test_a_whole_answer_leaves_in_one_write() -> None:
    echo = Echo((b"x-kind", b"echo"))

    answer = await echo.sent(b"POST /a%20b?q=1 HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi")

    assert answer == (b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\nx-kind: echo\r\n\r\n/a b|q=1|hi")
    assert len(echo.writes) == 1
    assert not echo.wire.is_closed


async def test_a_body_that_comes_in_parts_is_handed_over_whole() -> None:
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\n"

    answer = await Echo().sent(head, b"one", b"two")

    assert answer.endswith(b"/||onetwo")


async def test_requests_that_come_together_are_answered_in_their_order() -> None:
    paths = [b"/slow", b"/1", b"/2"]

    answer = await Echo().sent(b"".join(b"GET %b HTTP/1.1\r\nhost: x\r\n\r\n" % p for p in paths))

    assert [answer.count(path + b"||") for path in paths] == [1, 1, 1]
    places = [answer.index(path + b"||") for path in paths]
    assert places == sorted(places)


@pytest.mark.parametrize("parts", [[b"hi"], [b"", b"hi"], [b"h", b"i"]])
async def test_after_its_body_an_application_hears_of_the_end_of_the_connection(
    parts: list[bytes],
) -> None:
    events: list[Any] = []

    async def listen(scope: Any, receive: Any, send: Any) -> None:
        while not events or events[-1]["type"] == "http.request":
            events.append(await receive())

    protocol = connected(Wire(), listen)
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n"
    for part in (head + parts[0], *parts[1:]):
        protocol.data_received(part)
        for _ in range(5):
            await asyncio.sleep(0)
    assert b"".join(event["body"] for event in events) == b"hi"
    assert [event["more_body"] for event in events].count(False) == 1

    protocol.connection_lost(None)
    for _ in range(5):
        await asyncio.sleep(0)
    assert events[-1] == {"type": "http.disconnect"}


async def test_who_asks_to_close_is_told_once_and_closed() -> None:
    echo = Echo((b"connection", b"close"))

    answer = await echo.sent(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")

    assert answer.count(b"connection: close\r\n") == 1
    assert echo.wire.is_closed


async def test_a_request_of_http_1_0_is_the_last_of_its_connection() -> None:
    echo = Echo()

    answer = await echo.sent(b"GET / HTTP/1.0\r\n\r\n")

    assert answer.endswith(b"connection: close\r\n\r\n/||")
    assert echo.wire.is_closed


@pytest.mark.parametrize(
    ("request_line", "status"), [(b"HEAD / HTTP/1.1", 200), (b"GET / HTTP/1.1", 204)]
)
async def test_an_answer_that_may_have_no_body_has_none(request_line: bytes, status: int) -> None:
    answer = await Echo(status=status).sent(request_line + b"\r\nhost: x\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.endswith(b"\r\n\r\n")
    assert b"chunked" not in answer


async def test_a_header_that_would_break_the_answer_apart_is_not_sent() -> None:
    echo = Echo((b"x-evil", b"1\r\nset-cookie: a=b"))

    answer = await echo.sent(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"set-cookie" not in answer


async def test_a_client_that_waits_to_be_told_to_send_its_body_is_told() -> None:
    head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n"
    echo = Echo()

    assert await echo.sent(head) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert (await echo.sent(b"hi")).endswith(b"/||hi")
