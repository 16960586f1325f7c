"""What Penstock weighs: memory, size on disk, time to be ready. Prints one JSON object.

    python -m tests.benchmarks.weight                    starts 5 times, then W1 to W3 for 8 s each
    python -m tests.benchmarks.weight --starts 1 --seconds 0
    python -m tests.benchmarks.weight --size .venv       the size of an environment alone

Memory is resident memory added up over our own processes (the broker and Postgres are others'),
pages that they share counted in each; `pss` counts those once. Idle is some seconds after the
first start, with no workflow; `after` each load with what it needed still in memory.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks import workloads
from tests.benchmarks.load import wrk
from tests.benchmarks.stack import Stack, running_stack

SETTLE_S = 5.0
NOT_OURS = {"nats-server", "postgres"}
LOADS = {
    "W1": (workloads.w1, "bench-w1"),
    "W2": (workloads.w2, "bench-w2"),
    "W3": (workloads.w3, "bench-w3"),
}


def memory(stack: Stack) -> dict[str, Any]:
    """Megabytes of our processes, by program and together."""
    rss, pss = (
        {k: v for k, v in sizes.items() if k not in NOT_OURS}
        for sizes in (stack.rss_mb(), stack.pss_mb())
    )
    each = {name: round(size, 1) for name, size in sorted(rss.items())}
    return {"rss_mb": round(sum(rss.values())), "pss_mb": round(sum(pss.values())), "of": each}


def size_mb(folder: Path) -> float:
    """What the files of a folder take on disk, as `du` counts, in units of 1,048,576 bytes."""
    seen: set[tuple[int, int]] = set()
    blocks = 0
    for path in folder.rglob("*"):
        about = path.lstat()
        if (about.st_dev, about.st_ino) not in seen:
            seen.add((about.st_dev, about.st_ino))
            blocks += about.st_blocks
    return round(blocks * 512 / 2**20)


def starts(times: int) -> list[float]:
    """Seconds from the command to `ready`, on a fresh data directory each time."""
    took = []
    for _ in range(times):
        begun_s = time.monotonic()
        with running_stack():
            took.append(round(time.monotonic() - begun_s, 2))
    return took


def main() -> None:
    """Measure what was asked for."""
    it = argparse.ArgumentParser(prog="python -m tests.benchmarks.weight", description=__doc__)
    it.add_argument("--starts", type=int, default=5)
    it.add_argument("--seconds", type=int, default=8, help="of each load; 0: none")
    it.add_argument("--size", type=Path, help="measure this environment's size and nothing else")
    options = it.parse_args()
    if options.size is not None:
        print(json.dumps({"size_mb": size_mb(options.size)}))
        return
    took = starts(options.starts)
    found: dict[str, Any] = {"start_s": took, "start_median_s": statistics.median(took)}
    with running_stack() as stack:
        time.sleep(SETTLE_S)
        found["idle"] = memory(stack)
        for name, (document, path) in LOADS.items() if options.seconds else ():
            print(f"{name} …", file=sys.stderr, flush=True)
            stack.activate(document())
            wrk(f"{stack.url}/webhook/{path}", connections=64, seconds=options.seconds)
            found[f"after {name}"] = memory(stack)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
