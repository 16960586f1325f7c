"""kill -9 of each kind of process under load: nothing acknowledged is lost or done twice.

Ten kills of each kind in CI, at moments drawn from a seed that is printed; `just chaos ROW=1` does
two hundred.
"""

import os
import random
import signal
from collections.abc import Iterator

import pytest

from penstock.cli.api import Api
from penstock.cli.tables import pages
from tests.chaos.figures import broken
from tests.chaos.journal_checker import JournalChecker
from tests.chaos.kills import Books, installation_with_ledger, kill_drill
from tests.chaos.side_effects import SideEffects
from tests.chaos.webhook_load import WebhookLoad
from tests.up import Up, running_up, wait_until

SEED = int(os.environ.get("PENSTOCK_SEED", str(random.SystemRandom().randrange(10**6))))
SETTLE_S = 45.0

Installation = tuple[Up, SideEffects, list[str]]


def test_nothing_acknowledged_is_lost_and_nothing_is_done_twice_when_killed() -> None:
    assert broken(kill_drill(10, SEED)) == []


@pytest.fixture(scope="module")
def installed() -> Iterator[Installation]:
    with installation_with_ledger() as installation:
        yield installation


def test_the_history_shows_every_execution_once(installed: Installation) -> None:
    up, effects, paths = installed
    api = Api(up.url, up.token)

    with JournalChecker(up.data) as journal:
        with WebhookLoad(up.url, paths) as load:
            load.wait_for(50, 20)
            up.wait_until_restarted("projector", up.kill("projector"))
            up.wait_until_restarted("postgres", up.kill("postgres"))
            load.wait_for(50, 20)
        books = Books(load, journal, effects)
        books.settle()
        assert books.lost() == set()

    def shown() -> list[str]:
        return [str(row["id"]) for row in pages(api, "/executions", status="success")]

    wait_until(lambda: set(load.acknowledged) <= set(shown()), SETTLE_S)
    listed = shown()
    assert len(listed) == len(set(listed))


def test_kill_9_of_up_itself_loses_nothing_over_the_next_start(installed: Installation) -> None:
    up, _, paths = installed
    listen = up.url.removeprefix("http://")
    env = {"PENSTOCK_EGRESS_ALLOW": "127.0.0.0/8"}
    with WebhookLoad(up.url, paths) as load:
        load.wait_for(50, 20)
        up.stop(signal.SIGKILL)

    with running_up(up.data, "--listen", listen, env=env) as again:
        api = Api(again.url, again.token)

        def owed() -> set[str]:
            ended = pages(api, "/executions", status="success")
            return set(load.acknowledged) - {str(row["id"]) for row in ended}

        wait_until(lambda: not owed(), SETTLE_S)
        assert again.stop() == 0
        assert again.survivors() == []
