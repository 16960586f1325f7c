"""Rows 8 and 11: the history's database is away under load; a program crashes without end.

An outage of a dependency is waited out: webhooks are accepted, nothing is restarted, and what
happened meanwhile is in the history soon after. A crash loop is given up after the supervisor's
budget, and the whole says which program it was.
"""

import contextlib
import time

from penstock.cli.api import Api
from penstock.cli.tables import pages
from tests.chaos.documents import activate, code, inline
from tests.chaos.figures import Drawn, Figure
from tests.chaos.journal_checker import JournalChecker
from tests.chaos.kills import installation
from tests.chaos.webhook_load import WebhookLoad
from tests.servers import postgres_server
from tests.up import wait_until

DRAINED_S = 60.0
ACCEPTED_PART = 0.999
RESTARTS_MAX = 10
"""Of one group of programs within a minute (`penstock.supervisor.stack`)."""


def outage_drill(n: int, seed: int) -> list[Figure]:
    """Postgres away for `n` seconds."""
    drawn = Drawn(8, n, seed)
    with postgres_server() as server:
        env = {"PENSTOCK_POSTGRES_URL": server.database("history")}
        with installation(env=env) as up, JournalChecker(up.data) as journal:
            api = Api(up.url, up.token)
            paths = activate(api, code("now", "lastNode"), inline("later"))
            before = {name: child.get("pid") for name, child in up.tree().items()}
            with WebhookLoad(up.url, paths) as load:
                load.wait_for(50, 20)
                server.stop()
                time.sleep(n)
                server.start()
                load.wait_for(50, 20)
            drained_s = _drained_s(api, set(load.acknowledged))
            calls = sum(load.outcomes.values())
            after = {name: child.get("pid") for name, child in up.tree().items()}
            return [
                drawn.at_least("webhooks accepted", len(load.acknowledged) / calls, ACCEPTED_PART),
                drawn.none_of(
                    "acknowledged webhooks lost", journal.lost(lambda: set(load.acknowledged))
                ),
                drawn.none_of("restarts", [name for name in before if before[name] != after[name]]),
                drawn.at_most("history complete after", drained_s, DRAINED_S, "s"),
                drawn.told("webhooks", calls),
            ]


def _drained_s(api: Api, acknowledged: set[str]) -> float:
    began_s = time.monotonic()

    def is_there() -> bool:
        return acknowledged <= {str(row["id"]) for row in pages(api, "/executions")}

    with contextlib.suppress(AssertionError):
        wait_until(is_there, DRAINED_S + 5)
    return time.monotonic() - began_s


def crash_loop_drill(n: int, seed: int) -> list[Figure]:
    """One program that is killed whenever it is back, until `up` gives it up; `n` is not used."""
    drawn = Drawn(11, 1, seed)
    with installation() as up:
        kills = 0
        last = 0
        deadline = time.monotonic() + 120
        while up.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                pid = up.pid_of("projector")
                if pid != last:
                    up.kill("projector")
                    kills, last = kills + 1, pid
            time.sleep(0.02)
        has_ended = up.process.poll() is not None
        # The root forgives the group three times, and each time it has a new budget.
        allowed = (RESTARTS_MAX + 1) * 4
        return [
            drawn.at_most("crashes until it was given up", kills, allowed),
            drawn.at_least("ended", int(has_ended), 1),
            drawn.at_most("exit status 0", int(has_ended and up.process.returncode == 0), 0),
            drawn.at_least("says which", int("penstock/projector" in up.errors[-3000:]), 1),
            drawn.none_of("processes left", up.survivors()),
        ]
