"""Row 31: mixed load for long; memory must not grow with time, and calls must not get slower.

Memory of each program is looked at again and again; its slope is that of the straight line through
the second half, since caches fill and warm workers start in the first. Times of calls are told
slice by slice.
"""

import os
import statistics
import sys
import time

import psutil

from tests.chaos.documents import inline
from tests.chaos.figures import Drawn, Figure
from tests.chaos.kills import installation_with_ledger
from tests.chaos.webhook_load import WebhookLoad
from tests.up import Up

PROGRAMS = ("gateway-1", "actors-1", "projector", "sandbox_host", "nats")
OURS = PROGRAMS[:4]
SLICES = 12
LOOKS_PER_SLICE = 5
GROWTH_PART = 0.05
P99_TIMES_MAX = 2.0
MIB = 2**20

Look = tuple[float, dict[str, float]]
"""When, and the MiB of each program."""


def soak_drill(n: int, seed: int) -> list[Figure]:
    """Load for `n` seconds."""
    drawn = Drawn(31, n, seed)
    with installation_with_ledger(more=(inline("soak-inline", "lastNode"),)) as (up, _, paths):
        pids = {name: up.pid_of(name) for name in PROGRAMS}
        looks: list[Look] = []
        p99s_ms: list[float] = []
        with WebhookLoad(up.url, paths) as load:
            load.wait_for(50, 30)
            for number in range(1, SLICES + 1):
                first = len(load.took_s)
                for _ in range(LOOKS_PER_SLICE):
                    time.sleep(n / SLICES / LOOKS_PER_SLICE)
                    looks.append((time.monotonic(), _memory(up)))
                p99s_ms.append(_p99(load.took_s[first:]) * 1000)
                _say(number, looks[-1][1], p99s_ms[-1])
        late = looks[len(looks) // 2 :]
        ours = [sum(sizes[name] for name in OURS) for _, sizes in late]
        # Of many looks, lest one that hits a spike decides.
        third = len(ours) // 3
        growth = statistics.median(ours[-third:]) / statistics.median(ours[:third]) - 1
        times = statistics.median(p99s_ms[SLICES // 2 :]) / statistics.median(
            p99s_ms[: SLICES // 2]
        )
        return [
            drawn.at_most("memory of ours, grown in the second half", growth, GROWTH_PART),
            drawn.at_most("p99 in the second half, times that before", times, P99_TIMES_MAX),
            drawn.none_of("programs that died", _died(up, pids)),
            drawn.none_of("faults", load.faults),
            drawn.told("acknowledged", len(load.acknowledged)),
            *(_slope(drawn, name, late) for name in PROGRAMS),
            *(drawn.told(f"{name} at the end", looks[-1][1][name], "MiB") for name in PROGRAMS),
            *(drawn.told(f"p99, slice {i}", one, "ms") for i, one in enumerate(p99s_ms, 1)),
        ]


def _memory(up: Up) -> dict[str, float]:
    return {name: psutil.Process(up.pid_of(name)).memory_info().rss / MIB for name in PROGRAMS}


def _slope(drawn: Drawn, name: str, looks: list[Look]) -> Figure:
    line = statistics.linear_regression([at for at, _ in looks], [one[name] for _, one in looks])
    return drawn.told(f"{name} grows by", line.slope * 3_600, "MiB/h")


def _p99(took_s: list[float]) -> float:
    return sorted(took_s)[-max(1, len(took_s) // 100)]


def _died(up: Up, pids: dict[str, int]) -> list[str]:
    return [name for name, pid in pids.items() if up.pid_of(name) != pid]


def _say(number: int, sizes: dict[str, float], p99_ms: float) -> None:
    if os.environ.get("PENSTOCK_CHAOS_TALK"):
        shown = ", ".join(f"{name} {size:.1f}" for name, size in sizes.items())
        print(f"slice {number} of {SLICES}: p99 {p99_ms:.1f} ms; MiB: {shown}", file=sys.stderr)
