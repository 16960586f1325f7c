"""`penstock roll`: restart programs of a running `penstock up`, one at a time.

Each is asked to end in order and is ready again before the next one's turn comes, so that callers
see no error: gateways share a listening socket that stays open, a partition is handed over, and of
a cluster of brokers one at a time is away. It must run on the machine of the `up`.
"""

import argparse
import json
import os
import signal
import time
from typing import Any

from penstock.cli.arguments import add_data, parser
from penstock.subjects.errors import PenstockError
from penstock.supervisor.data_dir import DataDir
from penstock.supervisor.rolling import RollFiles, Wanted

_EXAMPLES = """\
  penstock roll                               the brokers
  penstock roll gateway-1 actors-1            programs by their names, see `penstock status`
  penstock roll --all                         everything, for example after an upgrade"""
_POLL_S = 0.1


def main(argv: list[str]) -> int:
    """Ask for it and follow it to its end."""
    it = parser("roll", "Restart programs one at a time.", examples=_EXAMPLES)
    it.add_argument("programs", nargs="*", metavar="PROGRAM")
    it.add_argument("--all", action="store_true", help="every program")
    add_data(it)
    options = it.parse_args(argv)
    if options.all and options.programs:
        it.error("give the names of programs, or --all")
    data_dir = DataDir(options.data)
    tree = _tree(data_dir)
    programs = _programs(tree, options)
    files = RollFiles(data_dir.run)
    with files.asking():
        wanted = files.ask(programs)
        os.kill(int(tree["pid"]), signal.SIGHUP)
        while not files.is_taken and data_dir.is_locked:
            time.sleep(_POLL_S)
    try:
        return _follow(data_dir, files, wanted)
    finally:
        files.forget(wanted)


def _tree(data_dir: DataDir) -> dict[str, Any]:
    try:
        tree: dict[str, Any] = json.loads(data_dir.tree_file.read_text())
    except (FileNotFoundError, ValueError):
        tree = {}
    if not tree or not data_dir.is_locked:
        raise PenstockError(
            f"no `penstock up` runs on {data_dir.path}",
            remedy="give the data directory of one that runs on this machine to --data",
        )
    return tree


def _programs(tree: dict[str, Any], options: argparse.Namespace) -> list[str]:
    groups = {
        str(group["name"]): [str(child["name"]) for child in group.get("children", [])]
        for group in tree["children"]
    }
    every = [name for names in groups.values() for name in names]
    if unknown := set(options.programs) - set(every):
        raise PenstockError(
            f"there is no program {', '.join(sorted(unknown))}",
            remedy=f"the programs are {', '.join(every)}",
        )
    if options.all:
        return every
    return options.programs or groups.get("broker", [])


def _follow(data_dir: DataDir, files: RollFiles, wanted: Wanted) -> int:
    told = 0
    while True:
        progress = files.progress(wanted)
        for program in progress.done[told:]:
            print(f"{program} restarted", flush=True)
        told = len(progress.done)
        if progress.problem:
            raise PenstockError(progress.problem, remedy=progress.remedy)
        if progress.is_over:
            return 0
        if not data_dir.is_locked:
            raise PenstockError("`penstock up` ended meanwhile", remedy="see its logs")
        time.sleep(_POLL_S)
