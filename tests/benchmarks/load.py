"""Load from outside: wrk (Debian's package) for rates, our own client for latency alone.

wrk keeps its sockets busy and costs little CPU, which matters on a machine where the load and the
product share two cores. The client below sends at a fixed rate whatever the answers do, so that a
stall shows as latency and not as a lower rate.
"""

import asyncio
import json
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from tests.benchmarks.workloads import BODY

_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass
class Load:
    """What a load came to. Latencies in milliseconds."""

    requests: int
    seconds: float
    errors: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    executions: list[str] = field(default_factory=list)
    sent_at: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds if self.seconds else 0.0


def wrk(*urls: str, connections: int, seconds: int) -> Load:
    """POST the benchmark body over `connections` kept-alive connections for `seconds`, to several
    paths of one server in turn."""
    if shutil.which("wrk") is None:
        raise SystemExit("the benchmarks need wrk: install Debian's package `wrk`")
    body = json.dumps(json.dumps(BODY))
    script = (
        f'wrk.method = "POST"\nwrk.body = {body}\n'
        'wrk.headers["Content-Type"] = "application/json"\n'
        f"{_in_turn(urls)}"
        "done = function(s, l, r)\n"
        '  io.write(string.format("FIGURES %d %d %d %d %d %d\\n", s.requests, s.duration,\n'
        "    s.errors.connect + s.errors.read + s.errors.write + s.errors.status,\n"
        "    l:percentile(50), l:percentile(95), l:percentile(99)))\nend\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "post.lua"
        path.write_text(script)
        output = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(path), urls[0]],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    found = re.search(r"FIGURES (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", output)
    assert found is not None, output
    count, took_us, errors, p50, p95, p99 = map(int, found.groups())
    return Load(count, took_us / 1e6, errors, p50 / 1e3, p95 / 1e3, p99 / 1e3)


def _in_turn(urls: Sequence[str]) -> str:
    """Lua that takes the paths of several URLs in turn; made before the load begins."""
    if len(urls) == 1:
        return ""
    paths = ", ".join(json.dumps(urlsplit(url).path) for url in urls)
    return (
        f"local requests, number = {{}}, 0\nlocal paths = {{{paths}}}\n"
        "init = function()\n"
        "  for i, path in ipairs(paths) do requests[i] = wrk.format(nil, path) end\nend\n"
        "request = function()\n  number = number % #requests + 1\n"
        "  return requests[number]\nend\n"
    )


def at_rate(url: str, *, per_second: float, seconds: float) -> Load:
    """Send at a fixed rate, one request at a time per tick; remember ids and send times."""
    return asyncio.run(_at_rate(url, per_second, seconds))


async def _at_rate(url: str, per_second: float, seconds: float) -> Load:
    body = json.dumps(BODY).encode()
    took: list[float] = []
    load = Load(0, seconds, 0, 0, 0, 0)

    async def one(session: aiohttp.ClientSession) -> None:
        sent, begun = time.time(), time.perf_counter()
        async with session.post(
            url, data=body, headers={"Content-Type": "application/json"}
        ) as answer:
            await answer.read()
        took.append((time.perf_counter() - begun) * 1e3)
        if answer.status >= 300:
            load.errors += 1
        load.executions.append(answer.headers.get("X-Penstock-Execution", ""))
        load.sent_at.append(sent)

    async with aiohttp.ClientSession() as session:
        await one(session)
        took.clear()
        load.executions.clear()
        load.sent_at.clear()
        begun = time.perf_counter()
        tasks = []
        for n in range(int(per_second * seconds)):
            await asyncio.sleep(max(0.0, begun + n / per_second - time.perf_counter()))
            tasks.append(asyncio.create_task(one(session)))
        await asyncio.gather(*tasks)
    load.requests = len(took)
    load.p50_ms, load.p95_ms, load.p99_ms = percentiles(took)
    return load


def percentiles(values: list[float]) -> tuple[float, float, float]:
    """p50, p95, p99."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[94], cuts[98]
