"""Row 30: what a load leaves behind once it is over.

A leak is what comes again with every load, so the first load is warm-up: caches fill, pools open,
warm workers start. Tasks cannot be counted from outside; descriptors, threads, consumers of the
broker and memory can.
"""

import asyncio
import json
import time

import psutil

from penstock.cli.api import Api
from penstock.subjects.bus_nats import NatsBus
from tests.chaos.documents import activate, code, inline
from tests.chaos.figures import Drawn, Figure
from tests.chaos.kills import installation
from tests.chaos.webhook_load import WebhookLoad
from tests.up import Up

OURS = ("gateway-1", "actors-1", "projector", "sandbox_host")
IDLE_S = 8.0
"""Longer than idle connections and pauses of our own take to end."""
GROWTH_PART = 0.05
SLACK_BYTES = 4 * 1024 * 1024


def leak_drill(n: int, seed: int) -> list[Figure]:
    """The same load of `n` executions twice; what there is more after the second."""
    drawn = Drawn(30, n, seed)
    with installation() as up:
        paths = activate(Api(up.url, up.token), code("now", "lastNode"), inline("later"))
        _load(up, paths, n)
        before = measured(up)
        _load(up, paths, n)
        after = measured(up)
        more = {what: after[what] - before[what] for what in after}
        allowed = GROWTH_PART * before["bytes"] + SLACK_BYTES
        return [
            drawn.at_most("descriptors more", more["descriptors"], 4),
            drawn.at_most("threads more", more["threads"], 2),
            drawn.at_most("consumers more", more["consumers"], 0),
            drawn.at_most("MiB more", more["bytes"] / 2**20, allowed / 2**20),
            drawn.told("MiB of our programs", after["bytes"] / 2**20),
        ]


def measured(up: Up) -> dict[str, float]:
    """What the idle installation holds."""
    time.sleep(IDLE_S)
    processes = [psutil.Process(up.pid_of(name)) for name in OURS]
    return {
        "descriptors": sum(process.num_fds() for process in processes),
        "threads": sum(process.num_threads() for process in processes),
        "consumers": asyncio.run(_consumers(up)),
        "bytes": _memory(up),
    }


def _memory(up: Up) -> float:
    return float(sum(psutil.Process(up.pid_of(name)).memory_info().rss for name in OURS))


async def _consumers(up: Up) -> int:
    passwords = json.loads((up.data / "secrets.json").read_text())
    url = (up.data / "run" / "nats-url").read_text().strip()
    bus = await NatsBus.connect(
        url, user="actors", password=passwords["nats-actors"], name="leak drill"
    )
    try:
        streams = ("EXEC", "SNAP", "STEPS", "DONE", "DEAD")
        return sum([(await bus.info(stream))["consumers"] for stream in streams])
    finally:
        await bus.close()


def _load(up: Up, paths: list[str], n: int) -> None:
    with WebhookLoad(up.url, paths, threads=16, pause_s=0.0) as load:
        load.wait_for(n, 60 + n / 50)
