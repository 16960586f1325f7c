"""Row 7: kill -9 of the broker that leads the journal's stream, of three, then of two at once."""

import asyncio
import json
import random
import time
from pathlib import Path

from penstock.subjects.bus_nats import NatsBus
from tests.chaos.figures import Drawn, Figure
from tests.chaos.journal_checker import JournalChecker
from tests.chaos.kills import BACK_S, Books, Pace, installation_with_ledger
from tests.chaos.webhook_load import WebhookLoad
from tests.up import Up

GAP_S = 10.0
TOGETHER = 5
"""Two die at once for each so many kills of the leader, and once at least."""


def leader_of(data: Path, stream: str) -> str:
    """The server that leads a stream, by its name in the tree; empty while nobody does."""

    async def ask() -> str:
        passwords = json.loads((data / "secrets.json").read_text())
        url = (data / "run" / "nats-url").read_text().strip()
        password = passwords["nats-admin"]
        bus = await NatsBus.connect(url, user="admin", password=password, wait_s=10)
        try:
            about = await bus.api(f"STREAM.INFO.{stream}")
        finally:
            await bus.close()
        return str(about["cluster"].get("leader", ""))

    return asyncio.run(ask())


def cluster_drill(n: int, seed: int) -> list[Figure]:
    """`n` kills of whoever leads EXEC, then some of two brokers together."""
    moments = random.Random(seed)
    pace = Pace()
    with (
        installation_with_ledger("--nodes", "3") as (up, effects, paths),
        JournalChecker(up.data) as journal,
    ):
        with WebhookLoad(up.url, paths) as load:
            for _ in range(n):
                load.wait_for(50, BACK_S)
                time.sleep(moments.uniform(0.02, 0.4))
                leader = leader_of(up.data, "EXEC")
                pace.wait("broker")
                killed = up.kill(leader)
                load.wait_for(50, BACK_S)
                up.wait_until_restarted(leader, killed, BACK_S)
            load.wait_for(50, BACK_S)
            gap_s = load.longest_gap_s()
            pairs = max(1, n // TOGETHER)
            for _ in range(pairs):
                _kill_two(up, moments, pace)
                load.wait_for(50, BACK_S)
        books = Books(load, journal, effects)
        books.settle()
        drawn = Drawn(7, n, seed)
        return [
            drawn.at_most("longest gap between acknowledgements", gap_s, GAP_S, "s"),
            drawn.told("two at once, times", pairs),
            drawn.told("longest gap then", load.longest_gap_s(), "s"),
            *books.figures(drawn),
        ]


def _kill_two(up: Up, moments: random.Random, pace: Pace) -> None:
    """kill -9 of two brokers, and wait until nobody had to help them back."""
    brokers = moments.sample([name for name in up.tree() if name.startswith("nats")], 2)
    for _ in brokers:
        pace.wait("broker")
    killed = {name: up.kill(name) for name in brokers}
    for name, pid in killed.items():
        up.wait_until_restarted(name, pid, BACK_S)
