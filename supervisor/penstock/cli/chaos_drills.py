"""The drills of `penstock chaos`, by their rows of docs/guarantees.md.

Only what an installation in use can bear: processes die or stand still for seconds, as they do by
themselves one day. Nothing is filled, no hostile message is sent, no clock is moved; for that there
are installations of the tests' own. Each drill is run under the canary's load, and gives figures
of its own beside those that all share.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from penstock.cli.chaos_canary import Canary
from penstock.cli.chaos_tree import BACK_S, Tree
from penstock.subjects.errors import PenstockError

FROZEN_S = 3.0
"""Longer than the lease of an owner, shorter than it takes to restart a broker."""

GAP_S = 10.0
DRAINED_S = 60.0
ACCEPTED_PART = 0.999


class Line(NamedTuple):
    """One line of the table; an empty limit is none."""

    measure: str
    value: str
    limit: str = ""
    is_kept: bool = True


@dataclass(slots=True)
class Run:
    """One drill under way. `n`: how often, or for how many seconds; see `DRILLS`."""

    tree: Tree
    canary: Canary
    n: int
    lots: random.Random
    gaps_s: list[float] = field(default_factory=list)

    def strike(self, what: str, do: Callable[[], None]) -> None:
        """Do something at a random moment; how long until it is over and a call was accepted."""
        time.sleep(self.lots.uniform(0.0, 0.5))
        began_s = time.monotonic()
        print(what, flush=True)
        do()
        self.canary.wait_for_more(BACK_S)
        self.gaps_s.append(time.monotonic() - began_s)

    def kill_each(self, names: list[str]) -> None:
        """Kill all of them `n` times, in random order."""
        for _ in range(self.n):
            for name in self.lots.sample(names, len(names)):
                self.strike(f"killing {name}", lambda name=name: self.tree.kill(name))  # type: ignore[misc]

    def gap(self, limit_s: float = 0.0) -> Line:
        """The longest time from a strike until it served again."""
        worst_s = max(self.gaps_s)
        limit = f"{limit_s:g} s" if limit_s else ""
        is_kept = not limit_s or worst_s <= limit_s
        return Line("longest until back and serving", f"{worst_s:.1f} s", limit, is_kept)


def kill_all(run: Run) -> list[Line]:
    """Row 1: every program."""
    run.kill_each(list(run.tree.programs()))
    return [Line("kills", str(len(run.gaps_s))), run.gap()]


def freeze_owners(run: Run) -> list[Line]:
    """Row 5: actor hosts stand still for longer than their lease, and wake up."""

    def freeze(name: str) -> None:
        with run.tree.frozen(name):
            time.sleep(FROZEN_S)

    for _ in range(run.n):
        for name in run.tree.of_group("actors"):
            run.strike(f"freezing {name}", lambda name=name: freeze(name))  # type: ignore[misc]
    return [Line("freezes", str(len(run.gaps_s))), run.gap()]


def kill_owners(run: Run) -> list[Line]:
    """Row 6: actor hosts."""
    run.kill_each(run.tree.of_group("actors"))
    return [Line("kills", str(len(run.gaps_s))), run.gap()]


def kill_brokers(run: Run) -> list[Line]:
    """Row 7: brokers, one at a time; one of them leads."""
    run.kill_each(run.tree.of_group("broker"))
    return [Line("kills", str(len(run.gaps_s))), run.gap(GAP_S)]


def freeze_database(run: Run) -> list[Line]:
    """Row 8: Postgres stands still for `n` seconds; the history catches up."""
    databases = run.tree.of_group("database")
    if not databases:
        raise PenstockError(
            "this installation's Postgres is not run by `penstock up`",
            remedy="drill it where it runs, and look with `penstock status`",
        )
    restarts = run.tree.restarts()
    refused, accepted = run.canary.refused, len(run.canary.acknowledged)
    print(f"freezing {databases[0]} for {run.n} s", flush=True)
    with run.tree.frozen(databases[0]):
        time.sleep(run.n)
    refused, accepted = run.canary.refused - refused, len(run.canary.acknowledged) - accepted
    part = accepted / max(1, accepted + refused)
    began_s = time.monotonic()
    run.canary.settle(DRAINED_S)
    drained_s = time.monotonic() - began_s
    again = run.tree.restarts() - restarts
    return [
        Line("accepted meanwhile", f"{part:.4f}", f"{ACCEPTED_PART}", part >= ACCEPTED_PART),
        Line("history complete after", f"{drained_s:.1f} s", "60 s", drained_s <= DRAINED_S),
        Line("restarts", str(again), "0", again == 0),
    ]


class Drill(NamedTuple):
    """`n` is what the drill takes it for."""

    about: str
    run: Callable[[Run], list[Line]]
    n: int


DRILLS = {
    1: Drill("kill every program", kill_all, 1),
    5: Drill("freeze actor hosts", freeze_owners, 1),
    6: Drill("kill actor hosts", kill_owners, 1),
    7: Drill("kill brokers", kill_brokers, 1),
    8: Drill("freeze Postgres for n seconds", freeze_database, 10),
}
