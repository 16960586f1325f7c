"""Does an execution cost the same however much there is already?

    python -m tests.benchmarks.scale executions     100 to 1,000,000 executions kept
    python -m tests.benchmarks.scale tenants        1 to 1,000 tenants, a workflow each
    python -m tests.benchmarks.scale workflows      1 to 10,000 active workflows of one tenant

Each point is a load of asynchronous five-step webhooks (64 connections, paths in turn), measured as
CPU per execution over every process of the stack; then what reading the history takes. Axis and
points may be given: `scale executions --points 100 10000`. Ends with a table in Markdown.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from penstock.gateway.catalog import Catalog
from penstock.gateway.directory import Directory
from penstock.gateway.metrics import Metrics
from penstock.gateway.routing import RoutingTable
from penstock.nodes.registry import REGISTRY
from penstock.subjects.clock import SystemClock
from tests.benchmarks import workloads
from tests.benchmarks.__main__ import measured
from tests.benchmarks.journal_watch import connect, finished
from tests.benchmarks.load import wrk
from tests.benchmarks.stack import Stack, running_stack

Figures = dict[str, Any]

POINTS = {
    "executions": (100, 10_000, 100_000, 1_000_000),
    "tenants": (1, 10, 100, 1_000),
    "workflows": (1, 10, 100, 1_000, 10_000),
}
IN_FLIGHT = 32
PATHS_MAX = 10_000
"""Paths that the load takes in turn: its script holds a text for each."""
READS = 20


async def _activate_more(stack: Stack, axis: str, first: int, last: int) -> None:
    """Workflows number `first` to `last` (exclusive), through the gateway's own directory."""
    bus = await connect(stack.data, "gateway")
    directory = Directory(bus, Catalog(RoutingTable(), Metrics()), REGISTRY, SystemClock())
    room = asyncio.Semaphore(IN_FLIGHT)

    async def one(number: int) -> None:
        tenant = f"t{number}" if axis == "tenants" and number else "main"
        async with room:
            stored = await directory.create(tenant, workloads.w2(f"scale-{number}"))
            await directory.activate(tenant, stored.record.id)

    try:
        await asyncio.gather(*(one(number) for number in range(first, last)))
    finally:
        await bus.close()


def _wait_for_route(url: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=10).read()
            return
        except urllib.error.HTTPError as error:
            if error.code != 404 or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def _wait_for_quiet(stack: Stack) -> None:
    """Until nothing that was accepted before is still to be finished."""
    before = -1
    while (now := finished(stack.data)) != before:
        before = now
        time.sleep(0.5)


def _reading(stack: Stack) -> Figures:
    """Median time of a page of the history and of one execution, in ms."""
    took: dict[str, list[float]] = {"page_ms": [], "read_ms": []}
    for _ in range(READS):
        begun = time.perf_counter()
        page = stack.api("GET", "/executions?limit=50")
        took["page_ms"].append((time.perf_counter() - begun) * 1e3)
        execution = page["executions"][-1]["id"]
        begun = time.perf_counter()
        stack.api("GET", f"/executions/{execution}")
        took["read_ms"].append((time.perf_counter() - begun) * 1e3)
    return {name: round(statistics.median(each), 1) for name, each in took.items()}


def measure(axis: str, points: list[int], seconds: int) -> list[Figures]:
    """One stack that grows from point to point; figures of each."""
    rows: list[Figures] = []
    with running_stack() as stack:
        made = kept = 0
        for point in points:
            active = 1 if axis == "executions" else point
            asyncio.run(_activate_more(stack, axis, made, active))
            made = max(made, active)
            urls = [f"{stack.url}/webhook/scale-{n}" for n in range(min(active, PATHS_MAX))]
            for url in (urls[0], urls[-1], f"{stack.url}/webhook/scale-{active - 1}"):
                _wait_for_route(url)
            while axis == "executions" and kept < point - 100:
                lack = point - kept
                connections = 64 if lack > 20_000 else 1
                seconds_more = min(30, 2 + lack // 10_000)
                kept += wrk(*urls, connections=connections, seconds=seconds_more).requests
            if axis != "executions":
                # Twice around, so that every plan is compiled before the measurement.
                wrk(*urls, connections=64, seconds=3 + len(urls) // 1_500)
            _wait_for_quiet(stack)
            figures = measured(stack, _load(urls, seconds))
            kept += figures["finished"]
            figures |= {"point": point, "kept": kept} | _reading(stack)
            print(json.dumps(figures), file=sys.stderr, flush=True)
            rows.append(figures)
    return rows


def _load(urls: list[str], seconds: int) -> Callable[[], Any]:
    return lambda: wrk(*urls, connections=64, seconds=seconds)


def table(axis: str, rows: list[Figures]) -> str:
    """The rows in Markdown."""
    parts = sorted(name for name in rows[0]["cpu_us_per_execution"] if name not in ("up",))
    heads = [axis, "per second", "CPU µs", *parts, "page ms", "read ms"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        cells = [
            f"{row['point']:,}",
            f"{row['finished_per_s']:,}",
            str(round(row["cpu_us_per_execution_total"])),
            *(str(round(row["cpu_us_per_execution"].get(part, 0))) for part in parts),
            str(row["page_ms"]),
            str(row["read_ms"]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("axis", choices=sorted(POINTS))
    parser.add_argument("--points", nargs="+", type=int)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = measure(options.axis, options.points or list(POINTS[options.axis]), options.seconds)
    print(table(options.axis, rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
