"""`python -m tests.simulation --seed N` replays one seed, `--seeds N [--first M]` plays many."""

import argparse
import logging
import os
import sys
import time

from tests.simulation.scenario import ViolationError, play


def main() -> int:
    """0 when every seed keeps all promises."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets is part of the schedule: the same in every replay.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seed", type=int, help="replay this seed")
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds to play")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--log", default="critical")
    chosen = parser.parse_args()
    logging.basicConfig(level=chosen.log.upper(), format="%(name)s %(message)s")
    seeds = (
        [chosen.seed]
        if chosen.seed is not None
        else range(chosen.first, chosen.first + chosen.seeds)
    )
    failed = 0
    for seed in seeds:
        began = time.perf_counter()
        try:
            figures = play(seed)
        except ViolationError as violation:
            failed += 1
            print(violation)
            continue
        print(f"seed {seed}: {figures} in {time.perf_counter() - began:.2f} s")
    print(f"{len(seeds) - failed} kept all promises, {failed} did not")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
