"""The actor core, schedules and the projector in virtual time, with faults drawn from a seed."""

import argparse
import logging
import os
import sys
import time
from collections import Counter

from penstock.cli.arguments import whole
from tests.simulation.seeds import Played, play_all

EXAMPLES = """examples:
  just sim                         100 seeds
  just sim --seeds 5000            many, on all processors
  just sim SEEDS=5000 FIRST=20000  the same for other seeds, as `just chaos` takes its words
  just sim --seed 42               replay one seed, and say what happened in it
  just sim --seed 42 --log info    the same with what the programs logged

A seed that breaks a promise prints what was broken, when, and the command that replays it. The
exit status is 1 when one did.
"""
PROGRESS_S = 5.0


def main() -> int:
    """0 when every seed keeps all promises."""
    chosen = options(sys.argv[1:])
    logging.basicConfig(level=chosen.log.upper(), format="%(name)s %(message)s")
    first, count = (chosen.first, chosen.seeds) if chosen.seed is None else (chosen.seed, 1)
    progress = _Progress(count)
    for played in play_all(range(first, first + count), chosen.jobs):
        progress.take(played)
    progress.close()
    if chosen.seed is not None or chosen.counts:
        for name, number in sorted(progress.counts.items()):
            print(f"{number:>10,} {name}")
    print(f"{count - progress.broken} kept all promises, {progress.broken} did not")
    return 1 if progress.broken else 0


class _Progress:
    """Tells what was broken at once, and how far things are now and then."""

    def __init__(self, count: int) -> None:
        self.counts: Counter[str] = Counter()
        self.broken = 0
        self._count = count
        self._done = 0
        self._began_s = self._told_s = time.monotonic()

    def take(self, played: Played) -> None:
        self._done += 1
        self.counts.update(played.counts)
        if played.broken:
            self.broken += 1
            print(played.broken, flush=True)
        if time.monotonic() - self._told_s > PROGRESS_S:
            self._told_s = time.monotonic()
            self.close()

    def close(self) -> None:
        rate = self._done / (time.monotonic() - self._began_s)
        text = f"{self._done:,} of {self._count:,} seeds, {self.broken} broken, {rate:.0f}/s"
        print(text, file=sys.stderr, flush=True)


def options(words: list[str]) -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(
        prog="just sim",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, help="replay this seed")
    parser.add_argument("--seeds", type=whole(), default=100, help="how many to play (100)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (0)")
    parser.add_argument(
        "--jobs", type=whole(), default=os.cpu_count() or 1, help="processes (one per processor)"
    )
    parser.add_argument("--counts", action="store_true", help="say how often what happened")
    parser.add_argument("--log", default="critical", help="level of the programs' logs (critical)")
    return parser.parse_args([_option(word) for word in words])


def _option(word: str) -> str:
    """`SEEDS=4` as `--seeds=4`."""
    name, equals, value = word.partition("=")
    return f"--{name.lower()}={value}" if equals and name.isupper() else word


if __name__ == "__main__":
    raise SystemExit(main())
