"""Row 12: many open executions in one owner: what they cost, and how fast one wakes.

Actor host and broker are real, in this process and beside it; nothing else runs. All executions
wait for a call. They are put away after some seconds; then some are woken one after another, and
the time until the journal has their end is what an activation takes. At last the owner leaves, and
another rebuilds all of them from the snapshot.
"""

import asyncio
import gc
import time

import psutil

from penstock.actors.execution.events import Finished
from penstock.actors.host import Host
from penstock.actors.inbox import SIGNALS
from penstock.actors.journal import RECORDS, RUNS, Happened
from penstock.actors.partition import Partition
from penstock.actors.shared import Shared
from penstock.nodes.registry import REGISTRY
from penstock.subjects import names
from penstock.subjects.bus import Ack, Message
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.clock import SystemClock
from penstock.subjects.collecting import collect_rarely
from penstock.subjects.ids import new_id_in
from penstock.subjects.messages import Resume, RunRequest
from penstock.subjects.streams import Budget, ensure
from penstock.workflow.document import content_hash, encode
from tests.chaos.figures import Drawn, Figure
from tests.servers import nats_server
from tests.simulation.workflows import CALLED

BATCH = 500
WOKEN = 200
BYTES_EACH_MAX = 4_000
"""400 MB for 100,000."""
PUT_AWAY_PART = 0.99
ACTIVATION_MS = 100
REBUILT_S = 1.0
PATIENCE_S = 300


def open_drill(n: int, seed: int) -> list[Figure]:
    """`n` open executions."""
    collect_rarely()  # as the program does
    with nats_server() as server:
        return asyncio.run(_measure(server.url, Drawn(12, n, seed)))


async def _measure(url: str, drawn: Drawn) -> list[Figure]:
    bus, sender = [await NatsBus.connect(url, name=name) for name in ("owner", "sender")]
    await ensure(sender, "local", Budget(file_bytes=4 << 30))
    document = {**CALLED, "nodes": CALLED["nodes"][:2], "connections": {}}
    document["connections"] = {"start": CALLED["connections"]["start"]}
    await sender.bucket("plans").put(content_hash(document), encode(document))
    shared = Shared(bus, SystemClock(), "local", 1, "owner", REGISTRY)
    await shared.start()
    host = Host(shared)
    tasks = [asyncio.ensure_future(host.beat()), asyncio.ensure_future(host.place())]
    await host.ready.wait()
    table = host.partitions[0].table
    gc.collect()
    before = psutil.Process().memory_info().rss
    executions = [new_id_in(0, 1, number) for number in range(drawn.n)]
    for first in range(0, drawn.n, BATCH):
        await _send(sender, executions[first : first + BATCH], content_hash(document))
    async with asyncio.timeout(PATIENCE_S):
        while len(table.kept) < PUT_AWAY_PART * drawn.n:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)
    gc.collect()
    used = psutil.Process().memory_info().rss - before
    put_away = len(table.kept) / drawn.n
    took_ms = await _wake(sender, executions[:: max(1, drawn.n // WOKEN)])
    for task in tasks:
        task.cancel()
    await host.partitions[0].release()
    shared.close()
    rebuilt, took_s = await _rebuild(bus)
    figures = [
        drawn.at_most("memory", used / 2**20, drawn.n * BYTES_EACH_MAX / 2**20, "MiB"),
        drawn.at_least("put away", put_away, PUT_AWAY_PART),
        drawn.at_most(
            "activation, 99th of 100", sorted(took_ms)[-len(took_ms) // 100], ACTIVATION_MS, "ms"
        ),
        drawn.at_least("rebuilt by the next owner", rebuilt, drawn.n - len(took_ms)),
        drawn.at_most("until it is live", took_s, REBUILT_S, "s"),
    ]
    await bus.close()
    await sender.close()
    return figures


async def _rebuild(bus: NatsBus) -> tuple[int, float]:
    """Take the partition over as a program that has just begun: how many executions it has then,
    and seconds until it is live."""
    shared = Shared(bus, SystemClock(), "local", 1, "next owner", REGISTRY)
    await shared.start()
    partition = Partition(shared, 0, lambda _: None)
    began = time.perf_counter()
    await partition.own()
    took_s = time.perf_counter() - began
    count = len(partition.table.kept) + len(partition.table.active)
    partition.close()
    shared.close()
    return count, took_s


async def _send(bus: NatsBus, executions: list[str], plan: str) -> None:
    batch = [
        RunRequest(one, "main", "called", plan, "", "webhook", [{"json": {"n": 1}}], 0)
        for one in executions
    ]
    await _append(bus, names.runs("local", 0), RUNS.encode(batch))


async def _append(bus: NatsBus, subject: str, frame: bytes) -> None:
    stored: asyncio.Future[Ack | Exception] = asyncio.get_running_loop().create_future()
    bus.append(subject, frame, stored.set_result)
    assert isinstance(await stored, Ack)


async def _wake(bus: NatsBus, executions: list[str]) -> list[float]:
    """Milliseconds from the call to the end in the journal, one after another."""
    ended: dict[str, float] = {}
    arrived = asyncio.Event()

    def on_message(message: Message) -> None:
        for entry in RECORDS.decode(message.payload).entries:
            if isinstance(entry, Happened) and isinstance(entry.events[-1], Finished):
                ended[entry.execution] = time.perf_counter()
                arrived.set()

    last = (await bus.info("EXEC"))["last"]
    following = bus.follow("EXEC", names.journal("local", 0), last + 1, on_message)
    took_ms = []
    for execution in executions:
        arrived.clear()
        began = time.perf_counter()
        signal = Resume(execution, [{"json": {"called": True}}])
        await _append(bus, names.signals("local", 0), SIGNALS.encode([signal]))
        async with asyncio.timeout(10):
            while execution not in ended:
                await arrived.wait()
                arrived.clear()
        took_ms.append((ended[execution] - began) * 1000)
    following.close()
    return took_ms
