"""Rows 1 and 3: kill -9 of every kind of process at random moments under load.

What was acknowledged is compared with the journal and with the ledger of side effects. Kinds take
turns in random order and nobody waits for one to be back before the next is killed, so outages
overlap.
"""

import contextlib
import os
import random
import sys
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


class Killing:
    """Kills in turns, with what went wrong on the way: a drill that breaks off shows nothing."""

    def __init__(self, up: Up, seed: int, kinds: tuple[str, ...] = KINDS) -> None:
        self._up = up
        self._kinds = kinds
        self._moments = random.Random(seed)
        self._pace = Pace()
        self._killed: dict[str, int] = {}
        self.kills = 0
        self.slowest_back_s = 0.0
        self.faults: list[str] = []

    def run(self, n: int) -> None:
        """`n` kills of each kind, or as many as there are until `up` itself has ended."""
        began_s = time.monotonic()
        for turn in range(1, n + 1):
            for name in self._moments.sample(self._kinds, len(self._kinds)):
                time.sleep(self._moments.uniform(0.02, 0.4))
                self._wait_until_back(name)
                self._pace.wait(name)
                self._kill(name)
            if self._up.process.poll() is not None:
                self.faults.append(f"up ended in turn {turn}: {self._up.errors[-500:]}")
                return
            _say(f"turn {turn} of {n}: {self.kills} kills in {time.monotonic() - began_s:.0f} s")
        for name in self._kinds:
            self._wait_until_back(name)

    def _kill(self, name: str) -> None:
        try:
            self._killed[name] = self._up.kill(name)
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.faults.append(f"{name} cannot be killed: {error!r}")
        else:
            self.kills += 1

    def _wait_until_back(self, name: str) -> None:
        if name not in self._killed:
            return
        began_s = time.monotonic()
        try:
            self._up.wait_until_restarted(name, self._killed.pop(name), BACK_S)
        except AssertionError as error:
            self.faults.append(str(error)[:500])
        self.slowest_back_s = max(self.slowest_back_s, time.monotonic() - began_s)


def kill_drill(n: int, seed: int, kinds: tuple[str, ...] = KINDS) -> list[Figure]:
    """`n` kills of each kind."""
    with installation_with_ledger() as (up, effects, paths), JournalChecker(up.data) as journal:
        killing = Killing(up, seed, kinds)
        with WebhookLoad(up.url, paths) as load:
            load.wait_for(20, 20)
            killing.run(n)
            try:
                load.wait_for(20, BACK_S)
            except AssertionError as error:
                killing.faults.append(str(error))
        books = Books(load, journal, effects)
        books.settle()
        drawn = Drawn(1, n, seed)
        return [
            drawn.at_least("kills", killing.kills, n * len(kinds)),
            drawn.none_of("not back in time", killing.faults),
            drawn.told("waited for one to be back, at most", killing.slowest_back_s, "s"),
            *books.figures(drawn),
        ]


def _say(text: str) -> None:
    if os.environ.get("PENSTOCK_CHAOS_TALK"):
        print(text, file=sys.stderr, flush=True)
