"""`just bench`: W1 to W3 against a running stack, W4 against a real broker; prints and writes JSON.

    just bench                       everything, on a stack of its own
    just bench --only W1 W2          some of it
    just bench --seconds 20 --json bench.json

Load comes from wrk (one thread, kept-alive connections) except for the latencies "alone" and at
100/s, which our own open-loop client measures. CPU per execution counts every process of the
stack, the load's own excluded. An execution counts as finished when its end is in the journal.
"""

import argparse
import itertools
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from penstock.cli.arguments import whole
from tests.benchmarks import workloads
from tests.benchmarks.journal_watch import finished, watch_ends
from tests.benchmarks.load import Load, at_rate, percentiles, wrk
from tests.benchmarks.stack import Stack, running_stack, until

Figures = dict[str, Any]
DRAIN_S = 60.0
SETTLE_S = 1.0


def measured(stack: Stack, load: Callable[[], Load]) -> Figures:
    """Run a load; figures for requests, finished executions, CPU per execution, memory.

    The rate of finished executions runs from the load's begin to the last end in the journal.
    """
    cpu_before, finished_before = stack.cpu_s(), finished(stack.data)
    begun_s = time.monotonic()
    result = load()
    until(lambda: finished(stack.data) - finished_before >= result.requests, seconds=DRAIN_S)
    took_s = time.monotonic() - begun_s
    count = max(1, finished(stack.data) - finished_before)
    time.sleep(SETTLE_S)  # the projector's share of the CPU comes a little later
    spent = {k: v - cpu_before.get(k, 0.0) for k, v in stack.cpu_s().items()}
    return {
        "requests_per_s": round(result.per_second),
        "errors": result.errors,
        "answered": result.requests,
        "finished": count,
        "finished_per_s": round(count / took_s),
        "p50_ms": round(result.p50_ms, 2),
        "p95_ms": round(result.p95_ms, 2),
        "p99_ms": round(result.p99_ms, 2),
        "cpu_us_per_execution": {k: round(1e6 * v / count, 1) for k, v in sorted(spent.items())},
        "cpu_us_per_execution_total": round(1e6 * sum(spent.values()) / count, 1),
        "rss_mb": {k: round(v) for k, v in sorted(stack.rss_mb().items())},
    }


def alone(url: str) -> Figures:
    """Latency of one request at a time, 20 a second for 5 s."""
    load = at_rate(url, per_second=20, seconds=5)
    return {"alone_p50_ms": round(load.p50_ms, 2), "alone_p99_ms": round(load.p99_ms, 2)}


def synchronous(stack: Stack, document: Figures, path: str, seconds: int) -> Figures:
    """W1, W3: 64 connections, then one request at a time."""
    stack.activate(document)
    url = f"{stack.url}/webhook/{path}"
    wrk(url, connections=8, seconds=2)
    figures = measured(stack, lambda: wrk(url, connections=64, seconds=seconds))
    return figures | alone(url)


def asynchronous(stack: Stack, seconds: int) -> Figures:
    """W2: saturated, then at 100/s with the time from sending to the end in the journal."""
    stack.activate(workloads.w2())
    url = f"{stack.url}/webhook/bench-w2"
    wrk(url, connections=8, seconds=2)
    figures = measured(stack, lambda: wrk(url, connections=64, seconds=seconds))
    with watch_ends(stack.data) as ends:
        load = at_rate(url, per_second=100, seconds=10)
        until(lambda: all(e in ends for e in load.executions), seconds=10)
    took = [
        ends[e] - sent * 1e3
        for e, sent in zip(load.executions, load.sent_at, strict=True)
        if e in ends
    ]
    p50, p95, p99 = percentiles(took)
    return figures | {
        "at_100_per_s": {
            "executions": len(took),
            "to_finished_p50_ms": round(p50, 2),
            "to_finished_p95_ms": round(p95, 2),
            "to_finished_p99_ms": round(p99, 2),
        }
    }


def engine() -> Figures:
    """W4: partitions and a real broker without the gateway (tests/benchmarks/actors.py), owned by
    one actor host, and by two as with `penstock up --actors 2`."""
    figures: Figures = {}
    for steps, hosts in itertools.product(("inline", "dispatched"), (1, 2)):
        command = [sys.executable, "-m", "tests.benchmarks.actors", "--steps", steps]
        command += ["--hosts", str(hosts)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        figures[f"{steps}_hosts_{hosts}"] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="just bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=["W1", "W2", "W3", "W4"])
    parser.add_argument("--seconds", type=whole(), default=10)
    parser.add_argument("--json", type=Path, default=Path("bench.json"))
    parser.add_argument("--up", default="", help="more arguments for `penstock up`, in one string")
    options = parser.parse_args()
    wanted = options.only or ["W1", "W2", "W3", "W4"]
    works: dict[str, Callable[[Stack], Figures]] = {
        "W1": lambda s: synchronous(s, workloads.w1(), "bench-w1", options.seconds),
        "W2": lambda s: asynchronous(s, options.seconds),
        "W3": lambda s: synchronous(s, workloads.w3(), "bench-w3", options.seconds),
    }
    results: Figures = {"machine": {"system": platform.platform(), "python": sys.version}}
    if set(wanted) & set(works):
        with running_stack(*options.up.split()) as stack:
            results["idle_rss_mb"] = {k: round(v) for k, v in sorted(stack.rss_mb().items())}
            for name in (n for n in works if n in wanted):
                print(f"{name} …", file=sys.stderr, flush=True)
                results[name] = works[name](stack)
                print(name, json.dumps(results[name], indent=2), flush=True)
    if "W4" in wanted:
        results["W4"] = engine()
        print("W4", json.dumps(results["W4"], indent=2), flush=True)
    options.json.write_text(json.dumps(results, indent=2) + "\n")
    print(f"written to {options.json}", file=sys.stderr)


if __name__ == "__main__":
    main()
