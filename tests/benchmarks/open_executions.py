"""100,000 open executions in long waits: the memory they take, and how soon a new owner has them.

python -m tests.benchmarks.open_executions [--executions 100000]
"""

import argparse
import asyncio
import gc
import json
import time
from typing import Any

import psutil

from penstock.actors.journal import RUNS
from penstock.actors.partition import Partition
from penstock.actors.shared import Shared
from penstock.nodes.registry import REGISTRY
from penstock.subjects import names
from penstock.subjects.bus import Ack
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.clock import SystemClock
from penstock.subjects.ids import new_id
from penstock.subjects.messages import RunRequest
from penstock.subjects.streams import Budget, ensure
from penstock.workflow.document import content_hash, encode
from tests.servers import nats_server
from tests.simulation.workflows import TRIGGER, document, mark, node

BATCH = 500
WAITING = document(
    "waiting",
    TRIGGER,
    node("pause", "wait", 1.1, amount=2, unit="days"),
    mark("b"),
    edges={"start": [["pause"]], "pause": [["b"]]},
)


async def owned(bus: NatsBus, owner: str) -> tuple[Shared, Partition, float]:
    """Take the partition; how long it took."""
    shared = Shared(bus, SystemClock(), "local", 1, owner, REGISTRY)
    await shared.start()
    partition = Partition(shared, 0, lambda lost: None)
    begun = time.perf_counter()
    await partition.own()
    return shared, partition, time.perf_counter() - begun


async def bench(url: str, count: int) -> dict[str, Any]:
    """One run."""
    bus = await NatsBus.connect(url, name="bench")
    await ensure(bus, "local", Budget(file_bytes=4 << 30))
    plan = content_hash(WAITING)
    await bus.bucket("plans").put(plan, encode(WAITING))
    shared, partition, _ = await owned(bus, "first")
    before = _rss_mb()
    await _fill(bus, plan, count)
    while len(partition.table.kept) < count:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.1)
    gc.collect()
    used = _rss_mb() - before
    begun = time.perf_counter()
    await partition.release()
    released_s = time.perf_counter() - begun
    shared.close()
    del partition
    shared, partition, took_s = await owned(bus, "second")
    assert len(partition.table) == count
    partition.close()
    shared.close()
    await bus.close()
    return {
        "open": count,
        "memory_mb": round(used),
        "rss_mb": round(_rss_mb()),
        "released_s": round(released_s, 2),
        "taken_over_s": round(took_s, 2),
    }


async def _fill(bus: NatsBus, plan: str, count: int) -> None:
    slots = asyncio.Semaphore(4)

    def on_ack(result: Ack | Exception) -> None:
        assert isinstance(result, Ack), result
        slots.release()

    items = [{"json": {"text": "x" * 100}}]
    for first in range(0, count, BATCH):
        await slots.acquire()
        batch = [
            RunRequest(new_id(first + n), "main", "w", plan, "", "webhook", items, 0)
            for n in range(BATCH)
        ]
        bus.append(names.runs("local", 0), RUNS.encode(batch), on_ack)


def _rss_mb() -> float:
    return float(psutil.Process().memory_info().rss) / 1e6


def main() -> int:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.open_executions")
    parser.add_argument("--executions", type=int, default=100_000)
    chosen = parser.parse_args()
    with nats_server() as server:
        print(json.dumps(asyncio.run(bench(server.url, chosen.executions))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
