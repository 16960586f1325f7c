"""Row 4: processes die exactly in the gaps of the commit path.

First under load, at every named point in turn. Then the loop of the n-th failure with a single
execution: die at its first passage of a point, then at its second, until it needs no such passage
any more. That covers every gap of that execution, not only likely ones. (The test run plays that
loop in the simulator, where it is quick: `nth_failure`.)
"""

import os
import random
import signal
import tempfile
from pathlib import Path

from penstock.cli.api import Api
from penstock.subjects.crash_points import POINTS, VARIABLE
from tests.chaos.documents import waiting
from tests.chaos.figures import Drawn, Figure
from tests.chaos.journal_checker import JournalChecker
from tests.chaos.kills import Books, Pace, installation_with_ledger
from tests.chaos.side_effects import SideEffects
from tests.chaos.webhook_load import WebhookLoad
from tests.up import Up, wait_until

HIT_S = 30.0
ENDS_S = 30.0
WAIT_S = 8.0
"""Longer than it takes until a waiting execution is put away."""
LOOPED = ("append", "acknowledge", "dispatch", "project")
FAILURES_MAX = 20
DIES = {point: "projector" if point == "project" else "actors-1" for point in POINTS}


def crash_drill(n: int, seed: int) -> list[Figure]:
    """`n` deaths at each point under load, then the loop of the n-th failure."""
    drawn = Drawn(4, n, seed)
    with (
        tempfile.TemporaryDirectory(prefix="penstock-crash-") as armed,
        installation_with_ledger(env={VARIABLE: armed}, more=(waiting("chaos-waits", WAIT_S),)) as (
            up,
            effects,
            paths,
        ),
        JournalChecker(up.data) as journal,
    ):
        points = Points(up, Path(armed))
        with WebhookLoad(up.url, paths) as load:
            load.wait_for(20, 20)
            missed = under_load(points, n, random.Random(seed))
            load.wait_for(20, 20)
        books = Books(load, journal, effects)
        books.settle()
        figures = [*books.figures(drawn), drawn.none_of("points that were not hit", missed)]
        return figures + (one_by_one(points, effects, journal, drawn) if n > 1 else [])


class Points:
    """Arms points of a running installation."""

    def __init__(self, up: Up, directory: Path) -> None:
        self.up = up
        self._directory = directory
        self._pace = Pace()

    def arm(self, point: str, passages: int) -> int:
        """Let the process die at this passage from now; its pid."""
        self._pace.wait(DIES[point])
        pid = self.up.pid_of(DIES[point])
        fresh = self._directory / f".{point}"
        fresh.write_text(str(passages))
        fresh.rename(self._directory / point)
        return pid

    def is_armed(self, point: str) -> bool:
        """Whether nobody has died there yet."""
        return (self._directory / point).exists()

    def disarm(self, point: str) -> None:
        """Nobody shall die there."""
        (self._directory / point).unlink()


def under_load(points: Points, n: int, moments: random.Random) -> list[str]:
    """Die at every point, `n` times; the points that nobody passed in time."""
    missed = []
    for _ in range(n):
        for point in moments.sample(POINTS, len(POINTS)):
            # Snapshots are written at the hand-over, one for each partition.
            most = 2 if point == "snapshot" else 5
            pid = points.arm(point, moments.randint(1, most))
            if point == "snapshot":
                os.kill(pid, signal.SIGTERM)
            try:
                wait_until(lambda armed=point: not points.is_armed(armed), HIT_S)  # type: ignore[misc]
            except AssertionError:
                missed.append(point)
                points.disarm(point)
            points.up.wait_until_restarted(DIES[point], pid)
    return missed


def one_by_one(
    points: Points, effects: SideEffects, journal: JournalChecker, drawn: Drawn
) -> list[Figure]:
    """The loop of the n-th failure, for each point of the way of one execution."""
    wrong: list[str] = []
    count = 0
    api = Api(points.up.url, points.up.token)
    for point in LOOPED:
        for passage in range(1, FAILURES_MAX):
            pid = points.arm(point, passage)
            status, headers, _ = api.call("POST", "/webhook/chaos-effect", {}, has_token=False)
            execution = headers.get("x-penstock-execution", "")
            if status != 200 or not _ends(api, execution):
                wrong.append(f"{point} {passage}: {status} {execution} did not end")
            if journal.finished[execution] != 1 or effects.done[execution] != 1:
                wrong.append(f"{point} {passage}: {execution} not once")
            if points.is_armed(point):
                points.disarm(point)
                break
            count += 1
            points.up.wait_until_restarted(DIES[point], pid)
    return [
        drawn.none_of("one execution, n-th failure: not once", wrong),
        drawn.at_least("one execution, n-th failure: failures", count, len(LOOPED)),
    ]


def _ends(api: Api, execution: str) -> bool:
    """Whether the history shows its success in time."""

    def is_over() -> bool:
        _, _, body = api.call("GET", f"/api/v1/executions/{execution}")
        return b'"success"' in body

    try:
        wait_until(is_over, ENDS_S)
    except AssertionError:
        return False
    return True
