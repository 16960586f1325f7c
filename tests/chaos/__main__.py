"""`just chaos [ROW=n] [N=n] [SEED=n]`: the long drills, and a table of their figures.

Without a row, all of them one after another, which takes hours. The seed draws moments and
messages; what the machine does in between it cannot repeat.
"""

import argparse
import logging
import os
import random
import sys
import time
import traceback

from penstock.cli.arguments import whole
from tests.chaos.figures import Figure, table
from tests.chaos.rows import ROWS, load


def main() -> int:
    """0 when every promise was kept."""
    parser = argparse.ArgumentParser(
        prog="just chaos",
        description=__doc__,
        epilog=_rows(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--row", type=int, choices=ROWS, metavar="ROW", help="only this row")
    parser.add_argument("--n", type=whole(), help="how many, instead of the row's long number")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--short", action="store_true", help="as many as in the test run")
    options = parser.parse_args([_option(word) for word in sys.argv[1:]])
    os.environ.setdefault("PENSTOCK_CHAOS_TALK", "1")
    # Judges follow the broker too, and would tell of each of its deaths.
    logging.getLogger("penstock.bus").setLevel(logging.ERROR)
    figures: list[Figure] = []
    failed = False
    for row in [options.row] if options.row else _once_each():
        chosen = ROWS[row]
        n = options.n or (chosen.short if options.short else chosen.long)
        print(f"row {row}: {chosen.about}, n {n}, seed {options.seed}", file=sys.stderr)
        began_s = time.monotonic()
        try:
            found = load(row)(n, options.seed)
            figures += found
            if not options.row:
                print(table(found), file=sys.stderr)
        except KeyboardInterrupt:
            failed = True
            print(f"row {row}: broken off", file=sys.stderr)
            break
        except Exception:
            failed = True
            traceback.print_exc()
        print(f"row {row}: {time.monotonic() - began_s:.0f} s", file=sys.stderr)
    print(table(figures))
    return 1 if failed or not all(figure.is_kept for figure in figures) else 0


def _rows() -> str:
    lines = (f"  {row:<3} {one.about} (n: {one.long:,})" for row, one in ROWS.items())
    return "rows:\n" + "\n".join(lines)


def _option(word: str) -> str:
    """`ROW=4` as `--row=4`, so that `just chaos ROW=4` reads as one expects."""
    name, equals, value = word.partition("=")
    return f"--{name.lower()}={value}" if equals and name.isupper() else word


def _once_each() -> list[int]:
    """One row of each drill: some drills measure several rows."""
    first: dict[str, int] = {}
    for row, chosen in ROWS.items():
        first.setdefault(chosen.drill, row)
    return list(first.values())


if __name__ == "__main__":
    raise SystemExit(main())
