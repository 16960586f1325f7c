"""What the bus itself costs: `python -m tests.benchmarks.bus [messages]` on a fresh nats-server.

Prints messages per second and CPU of this process per message, for appends kept in flight and for
following, on streams in memory and on disk (every write synced).
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

import uvloop

from penstock.subjects import names
from penstock.subjects.bus import Ack, Bus, Message
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.streams import Budget, ensure
from tests.servers import nats_server

IN_FLIGHT = 1000
PAYLOAD = b"x" * 300


async def append_all(bus: Bus, subject: str, count: int) -> None:
    """Append `count` messages, `IN_FLIGHT` at a time."""
    done = asyncio.get_running_loop().create_future()
    sent = acknowledged = 0

    def send() -> None:
        nonlocal sent
        sent += 1
        bus.append(subject, PAYLOAD, on_ack)

    def on_ack(answer: Ack | Exception) -> None:
        nonlocal acknowledged
        assert isinstance(answer, Ack), answer
        acknowledged += 1
        if sent < count:
            send()
        elif acknowledged == count:
            done.set_result(None)

    for _ in range(min(IN_FLIGHT, count)):
        send()
    await done


async def follow_all(bus: Bus, stream: str, subject: str, count: int) -> None:
    """Read a stream from its beginning."""
    done = asyncio.get_running_loop().create_future()
    seen = 0

    def on_message(message: Message) -> None:
        nonlocal seen
        seen += 1
        if seen == count:
            done.set_result(None)

    subscription = bus.follow(stream, subject, 1, on_message)
    await done
    subscription.close()


async def measure(what: str, count: int, work: Callable[[], Awaitable[None]]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    await work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{what:24} {count / wall:10,.0f}/s {1e6 * cpu / count:8.2f} us CPU")


async def main(url: str, count: int) -> None:
    bus = await NatsBus.connect(url, name="benchmark", wait_s=10)
    await ensure(bus, "local", Budget(file_bytes=1 << 30, memory_bytes=768 << 20))
    done, runs = names.done("local", 0), names.runs("local", 0)
    few = count // 20
    await measure("append, memory", count, lambda: append_all(bus, done, count))
    await measure("follow, memory", count, lambda: follow_all(bus, "DONE", done, count))
    await measure("append, disk and sync", few, lambda: append_all(bus, runs, few))
    await measure("follow, disk", few, lambda: follow_all(bus, "EXEC", runs, few))
    await bus.close()


if __name__ == "__main__":
    with nats_server() as server:
        uvloop.run(main(server.url, int(sys.argv[1]) if len(sys.argv) > 1 else 200_000))
