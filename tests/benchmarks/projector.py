"""What a projection costs: `python -m tests.benchmarks.projector [executions] [--profile]`.

Journals executions of W2 (five steps) on the in-memory bus, then projects them into a real
Postgres and segments on disk. Prints executions per second and CPU of this process for each; the
first figure is the fold alone, without database.
"""

import asyncio
import cProfile
import pstats
import sys
import tempfile
import time
from pathlib import Path

from penstock.actors.history.fold import Fold
from penstock.actors.journal import Happened
from penstock.actors.projector.projector import Projector, Settings
from penstock.subjects.blobs import BlobStore
from penstock.subjects.bus import Message
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.clock import SystemClock
from penstock.subjects.memory_broker import MemoryBroker
from penstock.subjects.streams import Budget, ensure
from tests.integration.journalist import Journalist
from tests.servers import postgres_server

PER_RECORD = 200


async def journal(bus: MemoryBus, executions: int) -> None:
    """Executions that each end in the record that starts them."""
    journalist = Journalist(bus, partitions=16)
    for number in range(executions // PER_RECORD):
        partition = number % 16
        requests = [journalist.request() for _ in range(PER_RECORD)]
        sequence = await journalist.ask(partition, requests)
        entries = [Happened(r.execution, journalist.run(r)[1]) for r in requests]
        await journalist.record(partition, sequence, entries)


def report(what: str, executions: int, began: tuple[float, float]) -> None:
    wall, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    print(f"{what:12} {executions / wall:10,.0f}/s {1e6 * cpu / executions:8.2f} us CPU")


def now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


async def main(url: str, directory: Path, executions: int) -> None:
    bus = MemoryBus(MemoryBroker())
    await ensure(bus, "local", Budget(file_bytes=1 << 40))
    await journal(bus, executions)
    messages: list[Message] = []
    bus.follow("EXEC", "exec.local.>", 1, messages.append)
    await asyncio.sleep(0.1)

    began = now()
    fold = Fold(0, {})
    for message in messages:
        fold.feed(message)
    report("fold", executions, began)

    settings = Settings(postgres_url=url, region="local")
    projector = Projector(bus, BlobStore.local(directory), SystemClock(), settings)
    began = now()
    task = asyncio.create_task(projector.run())
    await projector.reached(messages[-1].sequence)
    report("project", executions, began)
    task.cancel()


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40_000
    with postgres_server() as server, tempfile.TemporaryDirectory() as folder:
        address = server.database("benchmark")
        profile = cProfile.Profile()
        if "--profile" in sys.argv:
            profile.enable()
        asyncio.run(main(address, Path(folder), count))
        if "--profile" in sys.argv:
            profile.disable()
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
