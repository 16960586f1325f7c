"""Rows 5 and 6: two actor hosts; one is frozen and wakes as a former owner, one is killed.

A frozen host knows nothing of its successor when it wakes: the fencing of the journal must refuse
what it still means to write. How long a partition stands still after a kill is told by the hosts'
own logs, from the kill to the last "is live" of a partition that the dead host had.
"""

import json
import os
import random
import re
import signal
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from penstock.cli.api import Api
from tests.chaos.documents import activate, code, inline
from tests.chaos.figures import Drawn, Figure
from tests.chaos.journal_checker import JournalChecker
from tests.chaos.kills import Pace, installation
from tests.chaos.webhook_load import WebhookLoad
from tests.up import Up, wait_until

HOSTS = ("actors-1", "actors-2")
STANDBY_MS = 2_000
SETTLE_S = 30.0
_LIVE = re.compile(r"partition (\d+) is live")


def owner_drill(n: int, seed: int) -> list[Figure]:
    """`n` freezes, then `n` kills."""
    moments = random.Random(seed)
    frozen, killed = Drawn(5, n, seed), Drawn(6, n, seed)
    with installation("--actors", "2") as up, JournalChecker(up.data) as journal:
        paths = activate(Api(up.url, up.token), code("now", "lastNode"), inline("later"))
        with WebhookLoad(up.url, paths) as load:
            load.wait_for(50, 20)
            wait_until(lambda: len(set(journal.owners.values())) > 1, 20)
            for turn in range(n):
                freeze(up, HOSTS[turn % 2], moments.uniform(1.5, 4.0))
                load.wait_for(20, 20)
            pace = Pace()
            took_ms = []
            for turn in range(n):
                pace.wait(HOSTS[turn % 2])
                took_ms.append(kill(up, HOSTS[turn % 2], journal))
                load.wait_for(20, 20)
        acknowledged = set(load.acknowledged)
        wait_until(lambda: not journal.lost(lambda: acknowledged), SETTLE_S)
        return [
            frozen.none_of("stale appends accepted", journal.stale),
            frozen.none_of("executions started or ended twice", journal.twice()),
            frozen.none_of("acknowledged webhooks lost", journal.lost(lambda: acknowledged)),
            frozen.told("acknowledged", len(acknowledged)),
            killed.at_most("longest until all partitions live", max(took_ms), STANDBY_MS, "ms"),
        ]


def freeze(up: Up, name: str, for_s: float) -> None:
    """Stop a host for longer than its lease, then let it go on where it was."""
    pid = up.pid_of(name)
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(for_s)
    finally:
        os.kill(pid, signal.SIGCONT)


def kill(up: Up, name: str, journal: JournalChecker) -> int:
    """kill -9 of a host that owns something; milliseconds until others own all of it."""
    owner = _owner(up, name)
    wait_until(lambda: owner in journal.owners.values(), 20, lambda: f"{owner} owns nothing")
    owned = {int(subject.split(".")[2]) for subject, o in journal.owners.items() if o == owner}
    at_ms = time.time_ns() // 1_000_000
    pid = up.kill(name)

    def live_ms() -> dict[int, int]:
        return {number: live for number, live in _lives(up) if live > at_ms and number in owned}

    wait_until(lambda: live_ms().keys() >= owned, 20, lambda: f"live: {live_ms()} of {owned}")
    up.wait_until_restarted(name, pid)
    first: dict[int, int] = {}
    for number, live in _lives(up):
        if live > at_ms and number in owned:
            first[number] = min(live, first.get(number, live))
    return max(first.values()) - at_ms


def _owner(up: Up, name: str) -> str:
    """The name under which the host that runs now owns partitions."""
    ready = [line["id"] for line in _log(up.data, name) if line.get("event") == "ready"]
    return str(ready[-1])


def _lives(up: Up) -> Iterator[tuple[int, int]]:
    """Every partition that any host said to be live, and when, in ms."""
    for name in HOSTS:
        for line in _log(up.data, name):
            found = _LIVE.match(str(line.get("event", "")))
            if found:
                at = datetime.fromisoformat(str(line["at"]))
                yield int(found[1]), round(1000 * at.timestamp())


def _log(data: Path, name: str) -> Iterator[dict[str, str | int]]:
    for text in (data / "logs" / f"{name}.log").read_text().splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            yield line
