"""kill -9 of each kind of process under webhook load: nothing acknowledged is lost or done twice.

Three kills of each in CI, at random moments (the seed is printed); `PENSTOCK_KILLS` sets more.
Half of the calls wait for their answer, half are answered at once; both go through a step that a
sandbox host must do.
"""

import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.cli.api import Api, segment
from penstock.cli.tables import pages
from tests.chaos.journal_checker import JournalChecker
from tests.chaos.webhook_load import WebhookLoad
from tests.up import Up, running_up, wait_until

KILLS = int(os.environ.get("PENSTOCK_KILLS", "3"))
SEED = int(os.environ.get("PENSTOCK_SEED", str(random.SystemRandom().randrange(10**6))))
PATHS = ["chaos-now", "chaos-later"]
SETTLE_S = 45.0


def document(path: str, response_mode: str) -> dict[str, Any]:
    """Webhook, a Code step in the sandbox, a Set step inline."""
    webhook = {"httpMethod": "POST", "path": path, "responseMode": response_mode, "options": {}}
    nodes: list[tuple[str, str, float, dict[str, Any]]] = [
        ("Webhook", "webhook", 2, webhook),
        ("Double", "code", 2, {"jsCode": "return [{ json: { n: 2 * $json.body.turn } }];"}),
        ("Mark", "set", 3.4, {"assignments": {"assignments": []}, "includeOtherFields": True}),
    ]
    return {
        "name": path,
        "nodes": [
            {
                "id": name,
                "name": name,
                "type": f"n8n-nodes-base.{kind}",
                "typeVersion": version,
                "position": [0, 0],
                "parameters": parameters,
            }
            for name, kind, version, parameters in nodes
        ],
        "connections": {
            "Webhook": {"main": [[{"node": "Double", "type": "main", "index": 0}]]},
            "Double": {"main": [[{"node": "Mark", "type": "main", "index": 0}]]},
        },
        "settings": {"executionOrder": "v1"},
    }


def activate(api: Api) -> None:
    for path, mode in zip(PATHS, ("lastNode", "onReceived"), strict=True):
        workflow = api.post("/workflows", document(path, mode))["id"]
        api.post(f"/workflows/{segment(workflow)}/activate")
    # Until the gateway has seen the activations it may not know the paths.
    wait_until(lambda: all(answers(api, path) for path in PATHS), 20)


def answers(api: Api, path: str) -> bool:
    status, _, _ = api.call("POST", f"/webhook/{path}", {"turn": 1}, has_token=False)
    return status == 200


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    with (
        tempfile.TemporaryDirectory(prefix="penstock-", ignore_cleanup_errors=True) as directory,
        running_up(Path(directory) / "data") as running,
    ):
        activate(Api(running.url, running.token))
        yield running


def judge(up: Up, load: WebhookLoad, journal: JournalChecker) -> None:
    """Wait until everything that is owed has ended, then compare."""

    def said() -> str:
        owed = sorted(journal.lost(lambda: set(load.acknowledged)))
        return f"{len(owed)} lost: {owed[:5]}; seed {SEED}\n{up.errors[-4000:]}"

    wait_until(lambda: not journal.lost(lambda: set(load.acknowledged)), SETTLE_S, said)
    assert journal.twice() == {}
    assert {journal.statuses[execution] for execution in load.acknowledged} == {"success"}
    assert load.faults == []


@pytest.mark.parametrize(
    "name", ["gateway-1", "actors-1", "sandbox_host", "nats", "postgres", "projector"]
)
def test_nothing_acknowledged_is_lost_and_nothing_ends_twice_when_killed(up: Up, name: str) -> None:
    print(f"seed {SEED}")
    moments = random.Random(f"{SEED} {name}")

    with JournalChecker(up.data) as journal:
        with WebhookLoad(up.url, PATHS) as load:
            load.wait_for(20, 20)
            for _ in range(KILLS):
                time.sleep(moments.uniform(0.05, 0.6))
                killed = up.kill(name)
                up.wait_until_restarted(name, killed)
                load.wait_for(20, 20)
        judge(up, load, journal)

    print(f"{name}: {len(load.acknowledged)} acknowledged, {dict(load.outcomes)}")


def test_the_history_shows_every_execution_once(up: Up) -> None:
    api = Api(up.url, up.token)
    with JournalChecker(up.data) as journal:
        with WebhookLoad(up.url, PATHS) as load:
            load.wait_for(50, 20)
            up.wait_until_restarted("projector", up.kill("projector"))
            up.wait_until_restarted("postgres", up.kill("postgres"))
            load.wait_for(50, 20)
        judge(up, load, journal)

    def shown() -> list[str]:
        return [str(row["id"]) for row in pages(api, "/executions", status="success")]

    wait_until(lambda: set(load.acknowledged) <= set(shown()), SETTLE_S)
    listed = shown()
    assert len(listed) == len(set(listed))


def test_kill_9_of_up_itself_loses_nothing_over_the_next_start(up: Up) -> None:
    listen = up.url.removeprefix("http://")
    with WebhookLoad(up.url, PATHS) as load:
        load.wait_for(50, 20)
        up.stop(signal.SIGKILL)

    with running_up(up.data, "--listen", listen) as again:
        api = Api(again.url, again.token)

        def owed() -> set[str]:
            ended = pages(api, "/executions", status="success")
            return set(load.acknowledged) - {str(row["id"]) for row in ended}

        wait_until(lambda: not owed(), SETTLE_S)
        assert again.stop() == 0
        assert again.survivors() == []
