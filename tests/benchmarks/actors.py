"""W4: the engine alone. Batches of runs, a real broker, an actor host, a trivial sandbox host.

    python -m tests.benchmarks.actors [--steps dispatched] [--executions 20000] [--hosts 2]

Prints executions per second from the first publish to the last end, and the CPU time of each
process per execution. Everything is durable: the broker syncs each write.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import psutil

from penstock.actors.dispatch import STEPS
from penstock.actors.inbox import RESULTS
from penstock.actors.journal import RUNS
from penstock.subjects import names
from penstock.subjects.bus import Ack, Message
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.ids import new_id, partition_of
from penstock.subjects.messages import Outcome, RunRequest, StepResult
from penstock.subjects.streams import Budget, ensure
from penstock.workflow.document import content_hash, encode
from tests.servers import nats_server

BATCH = 100
IN_FLIGHT = 40


def workflow(kind: str, steps: int = 5) -> dict[str, Any]:
    """A trigger and `steps` nodes in a row."""
    nodes: list[dict[str, Any]] = [_node("start", "manualTrigger", 1, {})]
    connections: dict[str, Any] = {}
    for number in range(steps):
        name = f"step {number}"
        nodes.append(
            _node(name, "code", 2, {"jsCode": "return items"})
            if kind == "dispatched"
            else _node(name, "set", 3.4, _assign(f"field{number}"))
        )
        before = nodes[-2]["name"]
        connections[before] = {"main": [[{"node": name, "type": "main", "index": 0}]]}
    settings = {"executionOrder": "v1"}
    return {"name": kind, "nodes": nodes, "connections": connections, "settings": settings}


def _node(name: str, kind: str, version: float, parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "type": f"n8n-nodes-base.{kind}",
        "typeVersion": version,
        "position": [0, 0],
        "parameters": parameters,
    }


def _assign(name: str) -> dict[str, Any]:
    value = {"id": "1", "name": name, "value": "={{ $json.number + 1 }}", "type": "number"}
    return {"assignments": {"assignments": [value]}, "includeOtherFields": True, "options": {}}


async def sandbox(url: str) -> None:
    """A host that answers every step with its input, at once."""
    bus = await NatsBus.connect(url, name="bench-sandbox")

    def on_steps(message: Message) -> None:
        by_partition: dict[int, list[StepResult]] = {}
        for step in STEPS.decode(message.payload):
            outcome = Outcome(outputs=[step.inputs[0]])
            result = StepResult(step.execution, step.seq, step.attempt, outcome, "bench", 0, 1)
            by_partition.setdefault(step.partition, []).append(result)
        for partition, results in by_partition.items():
            bus.append(names.done("local", partition), RESULTS.encode(results), _ignore)
        work.ack(message)
        work.offer(1)

    work = await bus.work("STEPS", "process", names.steps("local", "process"), on_steps)
    work.offer(64)
    await asyncio.get_running_loop().create_future()


def _ignore(result: Ack | Exception) -> None:
    """A benchmark's sandbox host tries once."""


async def all_ended(bus: NatsBus, partitions: int, wanted: int) -> None:
    """Ask the owners until `wanted` executions have ended: their ends are in the journal then.
    Reading the journal here would cost more than what is measured."""
    while True:
        answers = [
            await bus.request(names.ask("local", number, "stats"), b"", 10.0)
            for number in range(partitions)
        ]
        if sum(json.loads(answer)["finished"] for answer in answers) >= wanted:
            return
        await asyncio.sleep(0.02)


def requests(plan: str, count: int, partitions: int) -> Iterator[tuple[int, list[RunRequest]]]:
    """Batches of runs by partition."""
    batches: list[list[RunRequest]] = [[] for _ in range(partitions)]
    for number in range(count):
        execution = new_id(number)
        partition = partition_of(execution, partitions)
        items = [{"json": {"number": number, "text": "x" * 100}}]
        batches[partition].append(
            RunRequest(execution, "main", "bench", plan, "", "trigger", items, 0)
        )
        if len(batches[partition]) == BATCH:
            yield partition, batches[partition]
            batches[partition] = []
    yield from enumerate(batches)


async def prepare(url: str, document: dict[str, Any]) -> None:
    """Declare the streams and store the workflow."""
    bus = await NatsBus.connect(url, name="bench")
    await ensure(bus, "local", Budget(file_bytes=4 << 30))
    await bus.bucket("plans").put(content_hash(document), encode(document))
    await bus.close()


async def load(url: str, plan: str, count: int, partitions: int) -> float:
    """Start `count` executions and wait for their ends; seconds it took."""
    bus = await NatsBus.connect(url, name="bench")
    slots = asyncio.Semaphore(IN_FLIGHT)

    def on_ack(result: Ack | Exception) -> None:
        assert isinstance(result, Ack), result
        slots.release()

    begun = time.perf_counter()
    for partition, batch in requests(plan, count, partitions):
        await slots.acquire()
        bus.append(names.runs("local", partition), RUNS.encode(batch), on_ack)
    await all_ended(bus, partitions, count)
    took_s = time.perf_counter() - begun
    await bus.close()
    return took_s


def bench(url: str, server: int, chosen: argparse.Namespace) -> dict[str, Any]:
    """One run."""
    document = workflow(chosen.steps)
    asyncio.run(prepare(url, document))
    watched = {"nats-server": psutil.Process(server), "load": psutil.Process()}
    with contextlib.ExitStack() as stack:
        for number in range(chosen.hosts):
            pid = stack.enter_context(actor_host(url, chosen.partitions))
            watched[f"actors {number}"] = psutil.Process(pid)
        if chosen.steps == "dispatched":
            argv = [sys.executable, "-m", "tests.benchmarks.actors", "--sandbox", url]
            host = stack.enter_context(subprocess.Popen(argv))
            stack.callback(host.kill)
            watched["sandbox"] = psutil.Process(host.pid)
            time.sleep(1.0)
        before = {name: _cpu_s(process) for name, process in watched.items()}
        count = chosen.executions
        took_s = asyncio.run(load(url, content_hash(document), count, chosen.partitions))
        spent = {name: _cpu_s(process) - before[name] for name, process in watched.items()}
        rss = max(_rss_mb(process) for name, process in watched.items() if "actors" in name)
    return {
        "steps": chosen.steps,
        "executions_per_s": round(count / took_s),
        "cpu_us_per_execution": {name: round(1e6 * s / count, 1) for name, s in spent.items()},
        "actors_rss_mb": rss,
    }


@contextlib.contextmanager
def actor_host(url: str, partitions: int) -> Iterator[int]:
    """An actor host that owns its partitions; its pid."""
    read, write = os.pipe()
    env = {
        **os.environ,
        "PENSTOCK_NATS_URL": url,
        "PENSTOCK_PARTITIONS": str(partitions),
        "PENSTOCK_READY_FD": str(write),
    }
    argv = [sys.executable, "-m", "penstock.actors"]
    with subprocess.Popen(argv, env=env, pass_fds=(write,), stderr=subprocess.DEVNULL) as host:
        os.close(write)
        os.read(read, 16)
        os.close(read)
        yield host.pid
        host.kill()


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _rss_mb(process: psutil.Process) -> int:
    return round(process.memory_info().rss / 1e6)


def main() -> int:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.actors")
    parser.add_argument("--executions", type=int, default=20_000)
    parser.add_argument("--steps", choices=("inline", "dispatched"), default="inline")
    parser.add_argument("--partitions", type=int, default=2)
    parser.add_argument("--hosts", type=int, default=1, help="processes that share the partitions")
    parser.add_argument("--sandbox", default="", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.sandbox:
        asyncio.run(sandbox(chosen.sandbox))
        return 0
    with nats_server() as server:
        assert server.process is not None
        print(json.dumps(bench(server.url, server.process.pid, chosen)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
