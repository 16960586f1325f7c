"""`penstock chaos`: the kill drills against an installation of one's own, while it runs.

Kills the programs of a running `penstock up` one at a time with SIGKILL, while a workflow of its
own is called, and then looks that every call that was acknowledged has ended. Row 1 kills every
program, row 6 actor hosts only.

Callers of the installation feel it: a program that dies is away for about a second. So it does
nothing without `--i-know`. It never kills so often that the supervisor would give a program up.
"""

import argparse
import json
import os
import random
import signal
import time
from collections import deque
from typing import Any

from penstock.cli.api import Api
from penstock.cli.arguments import add_data, parser
from penstock.cli.chaos_canary import Canary
from penstock.subjects.errors import PenstockError
from penstock.supervisor.data_dir import DataDir

_EXAMPLES = """\
  penstock chaos --i-know                     kill every program once
  penstock chaos --i-know --row 6 --n 5       kill actor hosts five times"""
_ABOUT = "Kill the programs of this installation one at a time, and look that nothing is lost."
_BACK_S = 60.0
_SETTLE_S = 60.0
_KILLS, _WINDOW_S = 6, 61.0
"""Of one group: its supervisor gives up at more than ten in a minute, and may have had some."""


def main(argv: list[str]) -> int:
    """0 when every promise was kept, 1 when one was not."""
    it = parser("chaos", _ABOUT, examples=_EXAMPLES)
    it.add_argument("--row", type=int, choices=(1, 6), default=1, help="which drill (default: 1)")
    it.add_argument("--n", type=int, default=1, help="kills of each program (default: 1)")
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
    tree = Tree(data_dir)
    url = data_dir.address_file.read_text().strip()
    canary = Canary(Api(url, data_dir.owner_token_file.read_text().strip()))
    gaps_s = _drill(options, tree, canary)
    return _print(options, canary, gaps_s)


class Tree:
    """The programs of a running `up`, from the file in which it tells of them."""

    def __init__(self, data_dir: DataDir) -> None:
        self._file = data_dir.tree_file
        self._killed_s: dict[str, deque[float]] = {}
        if not data_dir.is_locked or not self._file.exists():
            raise PenstockError(
                f"no `penstock up` runs on {data_dir.path}",
                remedy="give the data directory of one that runs on this machine to --data",
            )

    def programs(self) -> dict[str, str]:
        """The group of every program, by its name."""
        return {
            str(child["name"]): str(group["name"])
            for group in self._read()["children"]
            for child in group.get("children", [])
        }

    def kill(self, name: str) -> None:
        """kill -9 one program once its group may be killed again, and wait until it is back."""
        times = self._killed_s.setdefault(self.programs()[name], deque(maxlen=_KILLS))
        if len(times) == _KILLS:
            time.sleep(max(0.0, times[0] + _WINDOW_S - time.monotonic()))
        times.append(time.monotonic())
        killed = self._child(name)["pid"]
        os.kill(int(killed), signal.SIGKILL)
        deadline_s = time.monotonic() + _BACK_S
        while True:
            child = self._child(name)
            if child["state"] == "ready" and child.get("pid") not in (None, killed):
                return
            if time.monotonic() > deadline_s:
                raise PenstockError(f"{name} did not come back", remedy="see its log")
            time.sleep(0.02)

    def _child(self, name: str) -> dict[str, Any]:
        children = (c for group in self._read()["children"] for c in group.get("children", []))
        return next(child for child in children if child["name"] == name)

    def _read(self) -> dict[str, Any]:
        tree: dict[str, Any] = json.loads(self._file.read_text())
        return tree


def _drill(options: argparse.Namespace, tree: Tree, canary: Canary) -> list[float]:
    """Kill as the row says; seconds after each kill until a webhook was accepted."""
    lots = random.Random(options.seed)
    names = [n for n, group in tree.programs().items() if options.row == 1 or group == "actors"]
    gaps_s: list[float] = []
    with canary.calling():
        canary.wait_for_more(_BACK_S)
        for _ in range(options.n):
            for name in lots.sample(names, len(names)):
                time.sleep(lots.uniform(0.0, 0.5))
                began_s = time.monotonic()
                print(f"killing {name}", flush=True)
                tree.kill(name)
                canary.wait_for_more(_BACK_S)
                gaps_s.append(time.monotonic() - began_s)
        canary.stop()
        deadline_s = time.monotonic() + _SETTLE_S
        while canary.owed() and time.monotonic() < deadline_s:
            time.sleep(0.2)
    return gaps_s


def _print(options: argparse.Namespace, canary: Canary, gaps_s: list[float]) -> int:
    lost = canary.owed()
    rows = [
        ("acknowledged webhooks lost", str(len(lost)), "0", not lost),
        ("answers that are no refusal", str(len(canary.odd)), "0", not canary.odd),
        ("acknowledged", str(len(canary.acknowledged)), "-", True),
        ("refused", str(canary.refused), "-", True),
        ("kills", str(len(gaps_s)), "-", True),
        ("longest until back and serving", f"{max(gaps_s):.1f} s", "-", True),
    ]
    print(f"{'row':<5}{'measure':<34}{'value':<10}{'limit':<7}{'n':<5}{'seed':<8}")
    for measure, value, limit, is_kept in rows:
        verdict = "kept" if is_kept else "BROKEN"
        print(
            f"{options.row:<5}{measure:<34}{value:<10}{limit:<7}{options.n:<5}"
            f"{options.seed:<8}{verdict}"
        )
    for execution in sorted(lost)[:10]:
        print(f"lost: {execution}")
    return 0 if all(row[3] for row in rows) else 1
