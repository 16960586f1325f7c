"""Three brokers: one may be killed, restarted, frozen or wedged, and callers need not know.

The time that it takes is measured by `just chaos ROW=7`; here only what must hold at any speed.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.subjects import names
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.codec import Codec
from penstock.subjects.messages import Heartbeat
from tests.chaos.cluster import leader_of
from tests.chaos.journal_checker import JournalChecker
from tests.chaos.kills import Books, installation_with_ledger
from tests.chaos.side_effects import SideEffects
from tests.chaos.webhook_load import WebhookLoad
from tests.up import Up, wait_until

BACK_S = 45.0
BROKERS = ("nats-1", "nats-2", "nats-3")
HEARTBEATS: Codec[Heartbeat] = Codec(Heartbeat)

Installation = tuple[Up, SideEffects, list[str]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Installation]:
    with installation_with_ledger("--nodes", "3") as installation:
        yield installation


def judge(load: WebhookLoad, journal: JournalChecker, effects: SideEffects) -> None:
    """Everything that was acknowledged has happened, once."""
    books = Books(load, journal, effects)
    books.settle()
    assert books.lost() == set()
    assert journal.twice() == {}
    assert load.faults == []


def test_nothing_acknowledged_is_lost_when_the_leader_is_killed(cluster: Installation) -> None:
    up, effects, paths = cluster
    leader = leader_of(up.data, "EXEC")

    with JournalChecker(up.data) as journal:
        with WebhookLoad(up.url, paths) as load:
            load.wait_for(20, 30)
            killed = up.kill(leader)
            load.wait_for(20, BACK_S)
        up.wait_until_restarted(leader, killed, BACK_S)
        judge(load, journal, effects)


def test_a_rolling_restart_of_the_brokers_is_no_error_to_anybody(cluster: Installation) -> None:
    up, effects, paths = cluster
    before = {name: up.pid_of(name) for name in BROKERS}

    with JournalChecker(up.data) as journal:
        with WebhookLoad(up.url, paths) as load:
            load.wait_for(20, 30)
            roll = [sys.executable, "-m", "penstock.cli", "roll", "--data", str(up.data)]
            rolled = subprocess.run(roll, capture_output=True, text=True, timeout=120, check=False)
            load.wait_for(20, 30)
        judge(load, journal, effects)

    assert rolled.stdout.splitlines() == [f"{name} restarted" for name in before]
    assert all(up.pid_of(name) != pid for name, pid in before.items())
    assert set(load.outcomes) == {"200"}


def test_a_frozen_leader_is_restarted_and_nothing_is_lost(cluster: Installation) -> None:
    up, effects, paths = cluster
    leader = leader_of(up.data, "EXEC")
    frozen = up.pid_of(leader)

    with JournalChecker(up.data) as journal:
        with WebhookLoad(up.url, paths) as load:
            load.wait_for(20, 30)
            os.kill(frozen, signal.SIGSTOP)
            load.wait_for(20, BACK_S)
            up.wait_until_restarted(leader, frozen, BACK_S)
        judge(load, journal, effects)


class Alarm:
    """An actor host's heartbeat that says a stream is wedged, from `with` to its end."""

    def __init__(self, data: Path, stream: str) -> None:
        self._data = data
        self._sign = HEARTBEATS.encode(
            Heartbeat("actors", "alarmed", 1, 1, draining=True, wedged=[stream])
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(15)

    def _run(self) -> None:
        asyncio.run(self._beat())

    async def _beat(self) -> None:
        passwords = json.loads((self._data / "secrets.json").read_text())
        url = (self._data / "run" / "nats-url").read_text().strip()
        password = passwords["nats-actors"]
        bus = await NatsBus.connect(url, user="actors", password=password, wait_s=10)
        while not self._stop.is_set():
            bus.publish(names.heartbeat("actors", "alarmed"), self._sign)
            await asyncio.sleep(0.2)
        await bus.close()


def test_a_stream_that_a_canary_finds_wedged_gets_another_leader(cluster: Installation) -> None:
    up, _, _ = cluster
    leader = leader_of(up.data, "AUDIT")

    with Alarm(up.data, "AUDIT"):
        wait_until(lambda: leader_of(up.data, "AUDIT") not in ("", leader), BACK_S)

    assert '"kind": "step down"' in (up.data / "logs" / "up.log").read_text()


def test_a_stream_that_another_leader_does_not_cure_has_its_server_restarted(
    cluster: Installation,
) -> None:
    up, effects, paths = cluster
    leader = leader_of(up.data, "DEAD")
    before = {name: up.pid_of(name) for name in BROKERS}

    with JournalChecker(up.data) as journal:
        with WebhookLoad(up.url, paths) as load:
            load.wait_for(20, 30)
            with Alarm(up.data, "DEAD"):
                wait_until(lambda: up.tree()[leader].get("pid") != before[leader], 2 * BACK_S)
            up.wait_until_restarted(leader, before[leader], BACK_S)
            load.wait_for(20, BACK_S)
        judge(load, journal, effects)

    assert {name for name in BROKERS if up.pid_of(name) != before[name]} == {leader}


@pytest.mark.parametrize("count", [2, 3])
def test_brokers_that_die_at_once_come_back_without_a_person(
    cluster: Installation, count: int
) -> None:
    up, effects, paths = cluster

    with JournalChecker(up.data) as journal:
        with WebhookLoad(up.url, paths) as load:
            load.wait_for(20, 30)
            killed = {name: up.kill(name) for name in BROKERS[:count]}
            for name, pid in killed.items():
                up.wait_until_restarted(name, pid, BACK_S)
            load.wait_for(20, BACK_S)
        judge(load, journal, effects)
