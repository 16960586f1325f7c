"""`python -m tests.chaos.steady_caller URL RATE SECONDS PATH…`: calls at a fixed rate.

A process of its own, so that neither the drill nor another load's calls stand between a call and
its time. Calls leave when they are due, however long the ones before take (`CONNECTIONS_MAX` at a
time), on kept connections. Prints what came of them as JSON: `Told`.
"""

import asyncio
import sys
import time
from collections import Counter
from urllib.parse import urlsplit

import msgspec

CONNECTIONS_MAX = 400
BODY = b'{"turn":1}'

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Told(msgspec.Struct):
    """Answers by status (0: none), milliseconds each success took, refusals that do not say when
    to come again, and calls that were not made since too many waited."""

    statuses: dict[str, int]
    took_ms: list[float]
    without_retry_after: int = 0
    not_made: int = 0


def together(every: list[Told]) -> Told:
    """What came of all of them."""
    statuses: Counter[str] = Counter()
    for told in every:
        statuses.update(told.statuses)
    return Told(
        dict(statuses),
        [took for told in every for took in told.took_ms],
        sum(told.without_retry_after for told in every),
        sum(told.not_made for told in every),
    )


class Caller:
    """Calls paths in turns."""

    def __init__(self, url: str, paths: list[str]) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port or 80
        self._paths = paths
        self._idle: list[Connection] = []
        self._open = 0
        self._statuses: Counter[str] = Counter()
        self.told = Told({}, [])

    async def run(self, rate: float, seconds: float) -> Told:
        """Call for so long, then wait for the last answers."""
        began_s = time.perf_counter()
        calls: set[asyncio.Task[None]] = set()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began_s + number / rate - time.perf_counter()))
            if self._open >= CONNECTIONS_MAX and not self._idle:
                self.told.not_made += 1
                continue
            call = asyncio.create_task(self._call(self._paths[number % len(self._paths)]))
            calls.add(call)
            call.add_done_callback(calls.discard)
        if calls:
            await asyncio.wait(calls, timeout=30)
        self.told.statuses = dict(self._statuses)
        return self.told

    async def _call(self, path: str) -> None:
        began_s = time.perf_counter()
        status, headers = 0, b""
        connection = self._idle.pop() if self._idle else None
        try:
            if connection is None:
                self._open += 1
                connection = await asyncio.open_connection(self._host, self._port)
            status, headers = await _ask(connection, path)
            self._idle.append(connection)
        except (OSError, asyncio.IncompleteReadError, ValueError):
            self._open -= 1
            if connection is not None:
                connection[1].close()
        self._statuses[str(status)] += 1
        if status == 200:
            self.told.took_ms.append((time.perf_counter() - began_s) * 1000)
        elif status and b"\r\nretry-after:" not in headers:
            self.told.without_retry_after += 1


async def _ask(connection: Connection, path: str) -> tuple[int, bytes]:
    reader, writer = connection
    writer.write(
        b"POST /webhook/%b HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n%b" % (path.encode(), len(BODY), BODY)
    )
    headers = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, _, rest = headers.partition(b"\r\ncontent-length:")
    await reader.readexactly(int(rest.partition(b"\r\n")[0]))
    return int(headers.split(b" ", 2)[1]), headers


def main(url: str, rate: str, seconds: str, *paths: str) -> None:
    """Call, and print what came of it."""
    told = asyncio.run(Caller(url, list(paths)).run(float(rate), float(seconds)))
    print(msgspec.json.encode(told).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
