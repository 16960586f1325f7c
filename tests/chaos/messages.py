"""Row 15: hostile messages on every subject. Nobody dies of one, and good ones get through.

What cannot be read on a stream must be found in DEAD with a reason; questions, replies and signs
of life have no such place and are dropped. At the end the queue is empty and a webhook on every
path is served as before.
"""

import asyncio
import json
from collections import Counter
from typing import Any

from penstock.cli.api import Api
from penstock.subjects.bus import Ack
from penstock.subjects.bus_nats import NatsBus
from penstock.workflow.document import content_hash
from tests.chaos.documents import activate, code, inline, waiting
from tests.chaos.figures import Drawn, Figure
from tests.chaos.hostile_messages import Lots, draw
from tests.chaos.journal_checker import JournalChecker
from tests.chaos.kills import installation
from tests.chaos.webhook_load import WebhookLoad
from tests.up import Up, wait_until

IN_STREAMS = ("exec.", "step.", "done.")
FLIGHT = 200
EXPECTED = (
    *("of EXEC cannot be read", "handling a message of", "to DEAD:"),
    "failed by a bug of its own",
)
"""What a program says on purpose: the history skips it, an owner takes it for poison, a node that
was given no items fails its execution. It may stand in the line before."""
SETTLE_S = 60.0


def message_drill(n: int, seed: int) -> list[Figure]:
    """`n` hostile messages among good ones."""
    drawn = Drawn(15, n, seed)
    with installation("--partitions", "16") as up, JournalChecker(up.data) as journal:
        documents = code("now", "lastNode"), inline("later"), waiting("waits", 20)
        paths = activate(Api(up.url, up.token), *documents)[:2]
        words = (*map(content_hash, documents), "Webhook", "Mark", "now", _open_execution(up))
        before = {name: child.get("pid") for name, child in up.tree().items()}
        with WebhookLoad(up.url, paths, threads=2) as load:
            load.wait_for(20, 20)
            sent = asyncio.run(_send(up, n, Lots(seed, words)))
            load.wait_for(50, 60)
        acknowledged = set(load.acknowledged)
        is_settled = _settles(up, journal, acknowledged)
        after = {name: child.get("pid") for name, child in up.tree().items()}
        left = asyncio.run(_left(up))
        return [
            drawn.none_of("processes that died", [k for k in before if before[k] != after[k]]),
            drawn.none_of("acknowledged webhooks lost", journal.lost(lambda: acknowledged)),
            drawn.none_of("faults of good calls", load.faults),
            drawn.none_of("errors of ours in the logs", _errors(up)),
            drawn.at_most("unreadable and not in DEAD", sent["unreadable"] - left["DEAD"], 0),
            drawn.at_most("steps left in the queue", left["STEPS"], 0),
            drawn.told("more in DEAD: poison", left["DEAD"] - sent["unreadable"]),
            drawn.told("unreadable, in streams", sent["unreadable"]),
            drawn.told("refused by the broker", sent["refused"]),
            drawn.told("settled", int(is_settled)),
        ]


def _open_execution(up: Up) -> str:
    """The id of an execution that waits."""
    api = Api(up.url, up.token)
    _, headers, _ = api.call("POST", "/webhook/waits", {}, has_token=False)
    return headers["x-penstock-execution"]


async def _connect(up: Up, role: str) -> NatsBus:
    passwords = json.loads((up.data / "secrets.json").read_text())
    url = (up.data / "run" / "nats-url").read_text().strip()
    return await NatsBus.connect(url, user=role, password=passwords[f"nats-{role}"], name="hostile")


async def _send(up: Up, n: int, lots: Lots) -> Counter[str]:
    """Send them all; what became of them."""
    buses = {role: await _connect(up, role) for role in ("gateway", "actors", "sandbox")}
    counts: Counter[str] = Counter()
    flight = asyncio.Semaphore(FLIGHT)

    def on_ack(is_readable: bool) -> Any:
        def settled(result: Ack | Exception) -> None:
            flight.release()
            if not isinstance(result, Ack):
                counts["refused"] += 1
            elif not is_readable:
                counts["unreadable"] += 1

        return settled

    for number in range(n):
        one = draw(lots)
        bus = buses[one.role]
        if one.subject.startswith(IN_STREAMS):
            await flight.acquire()
            bus.append(one.subject, one.payload, on_ack(one.is_readable))
        else:
            bus.publish(one.subject, one.payload)
        if number % 50 == 0:
            await asyncio.sleep(0)
    for _ in range(FLIGHT):
        await flight.acquire()
    for bus in buses.values():
        await bus.close()
    return counts


def _settles(up: Up, journal: JournalChecker, acknowledged: set[str]) -> bool:
    """Whether everything good has ended and the queue is empty, in time."""

    def is_quiet() -> bool:
        return not journal.lost(lambda: acknowledged) and not asyncio.run(_left(up))["STEPS"]

    try:
        wait_until(is_quiet, SETTLE_S)
    except AssertionError:
        return False
    return True


async def _left(up: Up) -> dict[str, int]:
    bus = await _connect(up, "actors")
    try:
        return {name: (await bus.info(name))["messages"] for name in ("STEPS", "DEAD")}
    finally:
        await bus.close()


def _errors(up: Up) -> list[str]:
    """Log lines that tell of an exception that nobody expected."""
    found = []
    for log in sorted((up.data / "logs").glob("*.log")):
        before = ""
        for text in log.read_text(errors="replace").splitlines():
            last, before = before, text
            if any(words in line for words in EXPECTED for line in (last, text)):
                continue
            if "Traceback" in text or "never retrieved" in text or "raised:" in text:
                found.append(f"{log.stem}: {text[:300]} … {text[-300:]}")
    return found
