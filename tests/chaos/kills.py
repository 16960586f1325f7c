"""Rows 1 and 3: kill -9 of every kind of process at random moments under load.

What was acknowledged is compared with the journal and with the ledger of side effects. Kinds take
turns in random order and nobody waits for one to be back before the next is killed, so outages
overlap.
"""

import contextlib
import os
import random
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from penstock.cli.api import Api
from tests.chaos.documents import activate, code, effect
from tests.chaos.figures import Drawn, Figure
from tests.chaos.journal_checker import JournalChecker
from tests.chaos.side_effects import SideEffects
from tests.chaos.webhook_load import WebhookLoad
from tests.up import Up, running_up, wait_until

KINDS = ("gateway-1", "actors-1", "sandbox_host", "nats", "postgres", "projector")
SETTLE_S = 60.0
BACK_S = 30.0
FORGIVEN, WINDOW_S = 10, 61.0
"""How many restarts of a child its supervisor takes for repair, and in what time."""


class Pace:
    """Holds kills back so that the supervisor does not give a child up: that is another drill."""

    def __init__(self) -> None:
        self._at_s: dict[str, deque[float]] = {}

    def wait(self, name: str) -> None:
        """Return when another kill of this child will be forgiven, and count it."""
        times = self._at_s.setdefault(name, deque(maxlen=FORGIVEN))
        if len(times) == FORGIVEN:
            time.sleep(max(0.0, times[0] + WINDOW_S - time.monotonic()))
        times.append(time.monotonic())


@contextlib.contextmanager
def installation(*options: str, env: dict[str, str] | None = None) -> Iterator[Up]:
    """A running `penstock up` on a directory of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="penstock-", ignore_cleanup_errors=True) as directory,
        running_up(Path(directory) / "data", *options, env=env) as up,
    ):
        yield up


@contextlib.contextmanager
def installation_with_ledger(
    *options: str, env: dict[str, str] | None = None, more: tuple[Any, ...] = ()
) -> Iterator[tuple[Up, SideEffects, list[str]]]:
    """The same with the three workflows of the kill drills, one of which calls the ledger."""
    surroundings = {"PENSTOCK_EGRESS_ALLOW": "127.0.0.0/8", **(env or {})}
    with (
        tempfile.TemporaryDirectory(prefix="penstock-") as directory,
        SideEffects(Path(directory) / "ledger") as effects,
        installation(*options, env=surroundings) as up,
    ):
        documents = (
            code("chaos-now", "lastNode"),
            code("chaos-later", "onReceived"),
            effect("chaos-effect", effects.url),
            *more,
        )
        yield up, effects, activate(Api(up.url, up.token), *documents)


class Books:
    """Acknowledged webhooks, journal and ledger, compared."""

    def __init__(self, load: WebhookLoad, journal: JournalChecker, effects: SideEffects) -> None:
        self._load = load
        self._journal = journal
        self._effects = effects

    def lost(self) -> set[str]:
        """Acknowledged, and not ended or without its effect."""
        owed = self._journal.lost(lambda: set(self._load.acknowledged))
        for execution, path in list(self._load.acknowledged.items()):
            if path == "chaos-effect" and not self._effects.done[execution]:
                owed.add(execution)
        return owed

    def settle(self, timeout_s: float = SETTLE_S) -> None:
        """Return when nothing is owed any more, or after the time for it."""
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self.lost(), timeout_s)

    def figures(self, drawn: Drawn) -> list[Figure]:
        """What the comparison comes to; row 3 is about duplicates."""
        load, journal, effects = self._load, self._journal, self._effects
        ends = (journal.statuses.get(execution) for execution in load.acknowledged)
        twice = [execution for execution, count in effects.done.items() if count > 1]
        third = Drawn(3, drawn.n, drawn.seed)
        return [
            drawn.none_of("acknowledged webhooks lost", sorted(self.lost())),
            drawn.none_of("executions started or ended twice", journal.twice()),
            drawn.none_of("records of an owner that no longer was one", journal.stale),
            drawn.none_of("ended otherwise than they should", [e for e in ends if e != "success"]),
            drawn.none_of("answers that are no acknowledgement and no refusal", load.faults),
            drawn.told("acknowledged", len(load.acknowledged)),
            third.none_of("side effects twice, keys honoured", twice),
            third.none_of("requests without a key", range(effects.without_key)),
            third.told("requests again, keys ignored", effects.again),
        ]


def kill_drill(n: int, seed: int, kinds: tuple[str, ...] = KINDS) -> list[Figure]:
    """`n` kills of each kind."""
    moments = random.Random(seed)
    with installation_with_ledger() as (up, effects, paths), JournalChecker(up.data) as journal:
        with WebhookLoad(up.url, paths) as load:
            load.wait_for(20, 20)
            killed = _kill_in_turns(up, n, moments, kinds)
            for name, pid in killed.items():
                up.wait_until_restarted(name, pid, BACK_S)
            load.wait_for(20, BACK_S)
        books = Books(load, journal, effects)
        books.settle()
        return books.figures(Drawn(1, n, seed))


def _kill_in_turns(
    up: Up, n: int, moments: random.Random, kinds: tuple[str, ...]
) -> dict[str, int]:
    killed: dict[str, int] = {}
    pace = Pace()
    for turn in range(n):
        for name in moments.sample(kinds, len(kinds)):
            time.sleep(moments.uniform(0.02, 0.4))
            if name in killed:
                up.wait_until_restarted(name, killed[name], BACK_S)
            pace.wait(name)
            killed[name] = up.kill(name)
        if os.environ.get("PENSTOCK_CHAOS_TALK"):
            print(f"turn {turn + 1} of {n}", flush=True)
    return killed
