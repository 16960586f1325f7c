"""`penstock chaos`: drills against an installation of one's own, while it runs.

A workflow of its own is called all the time; programs of a running `penstock up` are killed or
frozen; then every call that was acknowledged must have ended. Callers of the installation feel it:
a program that dies is away for about a second. So it does nothing without `--i-know`. It never
kills so often that the supervisor would give a program up.
"""

import argparse
import random
import signal

from penstock.cli.api import Api
from penstock.cli.arguments import add_data, parser, whole
from penstock.cli.chaos_canary import Canary
from penstock.cli.chaos_drills import DRILLS, Line, Run
from penstock.cli.chaos_tree import BACK_S, Tree
from penstock.subjects.errors import PenstockError
from penstock.supervisor.data_dir import DataDir

_ROWS = "\n".join(f"  {row:<3}{it.about} (n: {it.n})" for row, it in sorted(DRILLS.items()))
_EXAMPLES = f"""\
  penstock chaos --i-know                     kill every program once
  penstock chaos --i-know --row 6 --n 5       kill actor hosts five times
  penstock chaos --i-know --row 8 --n 30      Postgres stands still for half a minute

rows:
{_ROWS}"""
_ABOUT = "Kill or freeze programs of this installation, and look that nothing is lost."
_SETTLE_S = 60.0


def main(argv: list[str]) -> int:
    """0 when every promise was kept, 1 when one was not."""
    it = parser("chaos", _ABOUT, examples=_EXAMPLES)
    it.add_argument("--row", type=int, choices=sorted(DRILLS), default=1, help="which (default: 1)")
    it.add_argument("--n", type=whole(), help="how often, or how long")
    it.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    it.add_argument("--i-know", action="store_true", help="that programs will be killed")
    add_data(it)
    options = it.parse_args(argv)
    data_dir = DataDir(options.data)
    if not options.i_know:
        raise PenstockError(
            "this kills programs of the installation in use",
            remedy="give --i-know when that is what you want",
        )
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    tree = Tree(data_dir)
    drill = DRILLS[options.row]
    options.n = options.n or drill.n
    url = data_dir.address_file.read_text().strip()
    canary = Canary(Api(url, data_dir.owner_token_file.read_text().strip()))
    with canary.calling():
        canary.wait_for_more(BACK_S)
        lines = drill.run(Run(tree, canary, options.n, random.Random(options.seed)))
        canary.stop()
        canary.settle(_SETTLE_S)
    return _print(options, canary, lines)


def _end(number: int, _frame: object) -> None:
    """End by an exception, so that what is frozen goes on."""
    raise SystemExit(128 + number)


def _print(options: argparse.Namespace, canary: Canary, lines: list[Line]) -> int:
    lost = canary.owed()
    rows = [
        Line("acknowledged webhooks lost", str(len(lost)), "0", not lost),
        Line("answers that are no refusal", str(len(canary.odd)), "0", not canary.odd),
        *lines,
        Line("acknowledged", str(len(canary.acknowledged))),
        Line("refused", str(canary.refused)),
    ]
    print(f"{'row':<5}{'measure':<34}{'value':<10}{'limit':<7}{'n':<5}{'seed':<8}")
    for measure, value, limit, is_kept in rows:
        verdict = "kept" if is_kept else "BROKEN"
        print(
            f"{options.row:<5}{measure:<34}{value:<10}{limit or '-':<7}{options.n:<5}"
            f"{options.seed:<8}{verdict}"
        )
    for execution in sorted(lost)[:10]:
        print(f"lost: {execution}")
    return 0 if all(row.is_kept for row in rows) else 1
