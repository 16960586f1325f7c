"""The parser delivers the same messages however the socket cuts them."""

import asyncio
from random import Random
from typing import Any

import pytest

from penstock.subjects.nats_client import FastParser, WireClient
from penstock.subjects.nats_connection import Connection

HEADER = b"NATS/1.0\r\nA: b\r\n\r\n"
DECEPTIVE = b"\r\nMSG in.a.payload 1 1\r\nx\r\n\r\n"
STREAM = b"".join(
    [
        b"MSG a.b 1 5\r\nhello\r\n",
        b"PING\r\n",
        b"MSG a.b 1 reply.to 0\r\n\r\n",
        b"HMSG a.c 2 %d %d\r\n%bpayload\r\n" % (len(HEADER), len(HEADER) + 7, HEADER),
        b"+OK\r\n",
        b"HMSG a.c 2 reply.to %d %d\r\n%b\r\n" % (len(HEADER), len(HEADER), HEADER),
        b"PONG\r\n",
        b"MSG a.b 1 %d\r\n%b\r\n" % (len(DECEPTIVE), DECEPTIVE),
        b"MSG nobody 9 1\r\nx\r\n",
        b'INFO {"connect_urls": []}\r\n',
        b"MSG a.b 1 3\r\nend\r\n",
    ]
)
DELIVERED = [
    (b"a.b", b"", b"", b"hello"),
    (b"a.b", b"reply.to", b"", b""),
    (b"a.c", b"", HEADER, b"payload"),
    (b"a.c", b"reply.to", HEADER, b""),
    (b"a.b", b"", b"", DECEPTIVE),
    (b"a.b", b"", b"", b"end"),
]


class Client(WireClient):
    """A client without connection that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.delivered: list[tuple[bytes, bytes, bytes, bytes]] = []
        super().__init__(lambda: self.told.append("batch"))

        def deliver(*message: bytes) -> None:
            self.delivered.append(message)  # type: ignore[arg-type]

        self.routes = {b"1": deliver, b"2": deliver}

    async def _process_ping(self) -> None:
        self.told.append("ping")

    async def _process_pong(self) -> None:
        self.told.append("pong")

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        self.told.append("info")


def parse(chunks: list[bytes]) -> Client:
    async def main() -> Client:
        client = Client()
        for chunk in chunks:
            await client._ps.parse(chunk)
        return client

    return asyncio.run(main())


def test_the_stream_as_one_piece_is_one_batch() -> None:
    client = parse([STREAM])

    assert client.delivered == DELIVERED
    assert client.told == ["ping", "pong", "info", "batch"]


def test_the_stream_byte_by_byte() -> None:
    client = parse([STREAM[n : n + 1] for n in range(len(STREAM))])

    assert client.delivered == DELIVERED


@pytest.mark.parametrize("split", range(1, len(STREAM), 3))
def test_the_stream_in_two_pieces(split: int) -> None:
    client = parse([STREAM[:split], STREAM[split:]])

    assert client.delivered == DELIVERED
    assert [word for word in client.told if word != "batch"] == ["ping", "pong", "info"]


@pytest.mark.parametrize("seed", range(20))
def test_the_stream_in_random_pieces(seed: int) -> None:
    random = Random(seed)
    chunks, rest = [], STREAM * 5
    while rest:
        size = random.randrange(1, 90)
        chunks.append(rest[:size])
        rest = rest[size:]

    assert parse(chunks).delivered == DELIVERED * 5


def test_a_receiver_that_fails_costs_nobody_else_a_message() -> None:
    async def main() -> list[bytes]:
        client = Client()
        got: list[bytes] = []

        def deliver(*message: bytes) -> None:
            if message[3] == b"hello":
                raise ValueError("on purpose")
            got.append(message[3])

        client.routes = {b"1": deliver}
        await client._ps.parse(STREAM)
        return got

    assert asyncio.run(main())[-1] == b"end"


def test_what_was_left_of_a_lost_connection_is_not_mixed_into_the_next() -> None:
    async def main() -> Client:
        client = Client()
        await client._ps.parse(b"MSG a.b 1 500\r\nhalf")
        client._ps.reset()
        await client._ps.parse(b"MSG a.b 1 5\r\nhello\r\n")
        return client

    assert asyncio.run(main()).delivered == [(b"a.b", b"", b"", b"hello")]


def test_the_parts_of_nats_py_that_are_leaned_on_are_there() -> None:
    async def main() -> None:
        client = Connection("test")._client
        assert isinstance(client._ps, FastParser)
        for name in ("_transport", "_process_op_err", "_process_msg", "_error_cb", "max_payload"):
            assert hasattr(client, name), name

    asyncio.run(main())
