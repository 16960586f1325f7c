"""Row 16: messages whose handling fails every time, among a load of others.

The fault is in the actor host (`poisoned_actors`): the results of every tenth execution's step make
it raise. Each must be in quarantine after three tries at most, its execution ended with an error,
and its neighbours must not notice. When the fault is repaired, what failed is run again, and what
was set aside unread is sent again from DEAD.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from penstock.actors.journal import RUNS
from penstock.cli.api import Api
from penstock.cli.tables import pages
from penstock.subjects import names
from penstock.subjects.bus import Message
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.dead_letters import POISON, UNREADABLE, bury, letter_of
from penstock.subjects.ids import new_id_in, partition_of
from penstock.subjects.messages import RunRequest
from penstock.workflow.document import content_hash
from tests.chaos.documents import MARK, activate, chain
from tests.chaos.figures import Drawn, Figure
from tests.chaos.journal_checker import JournalChecker
from tests.chaos.poisoned_actors import REPAIRED, TRIES
from tests.chaos.webhook_load import WebhookLoad
from tests.up import ROOT, Up, running_up, wait_until

EVERY = 10
TRIES_MAX = 3
SETTLE_S = 60.0
PATH = "poison"


def poison_drill(n: int, seed: int) -> list[Figure]:
    """`n` poison messages, and nine times as many neighbours."""
    drawn = Drawn(16, n, seed)
    with TemporaryDirectory(prefix="penstock-", ignore_cleanup_errors=True) as place:
        data = Path(place) / "data"
        stand_ins = {"actors": "tests.chaos.poisoned_actors"}
        with running_up(data, stand_ins=stand_ins) as up, JournalChecker(data) as journal:
            before = {name: child["pid"] for name, child in up.tree().items()}
            activate(Api(up.url, up.token), _document())
            with WebhookLoad(up.url, [PATH]) as load:
                wait_until(lambda: len(_tries(data)) >= n, 30 + n)
            acknowledged = set(load.acknowledged)
            with contextlib.suppress(AssertionError):
                wait_until(lambda: not journal.lost(lambda: acknowledged), SETTLE_S)
            tries = _tries(data)
            letters = Counter(str(one["execution"]) for one in _letters(data, POISON))
            wrong = [
                f"{one}: {journal.statuses.get(one)}"
                for one in acknowledged
                if journal.statuses.get(one) != ("error" if one in tries else "success")
            ]
            after = {name: child["pid"] for name, child in up.tree().items()}
            (data / REPAIRED).touch()
            return [
                drawn.at_least("poison messages", len(tries), n),
                drawn.at_most("tries of one, at most", max(tries.values()), TRIES_MAX),
                drawn.none_of("not in DEAD exactly once", _not_once(tries, letters)),
                drawn.none_of("lost", journal.lost(lambda: acknowledged)),
                drawn.none_of("ended otherwise than they should", wrong),
                drawn.none_of("started or ended twice", journal.twice()),
                drawn.none_of("programs that died", _changed(before, after)),
                drawn.none_of("not run again after the repair", _retried(up, journal, set(tries))),
                drawn.none_of("not sent again from DEAD", _sent_again(up, journal)),
                drawn.told("neighbours", len(acknowledged) - len(tries)),
            ]


def _document() -> Any:
    decide = {"jsCode": f"return [{{ json: {{ poison: $json.body.turn % {EVERY} === 0 }} }}];"}
    return chain(PATH, "onReceived", ("Decide", "code", 2, decide), MARK)


def _tries(data: Path) -> Counter[str]:
    """How often the handling of each execution's result was tried."""
    file = data / TRIES
    return Counter(file.read_text().split()) if file.exists() else Counter()


def _not_once(tries: Counter[str], letters: Counter[str]) -> list[str]:
    return [f"{one}: {letters[one]}" for one in tries | letters if letters[one] != 1]


def _changed(before: dict[str, int], after: dict[str, int]) -> list[str]:
    return [name for name, pid in before.items() if after.get(name) != pid]


def _dead(data: Path, *options: str) -> str:
    command = (sys.executable, "-m", "penstock.cli", "dead", "--data", str(data), *options)
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    return done.stdout


def _letters(data: Path, reason: str) -> list[dict[str, Any]]:
    return [one for one in json.loads(_dead(data, "--json")) if one["reason"] == reason]


def _retried(up: Up, journal: JournalChecker, failed: set[str]) -> set[str]:
    """Run every failed execution again; those that do not succeed now."""
    api = Api(up.url, up.token)
    again: set[str] = set()
    for execution in failed:
        wait_until(lambda one=execution: _is_shown(api, one), 30)  # type: ignore[misc]
        again.add(str(api.post(f"/executions/{execution}/retry")["id"]))
    with contextlib.suppress(AssertionError):
        wait_until(lambda: again <= journal.statuses.keys(), SETTLE_S)
    return {one for one in again if journal.statuses.get(one) != "success"}


def _is_shown(api: Api, execution: str) -> bool:
    status, _, body = api.call("GET", f"/api/v1/executions/{execution}")
    return status == 200 and b'"error"' in body


def _sent_again(up: Up, journal: JournalChecker) -> set[str]:
    """Set a request aside as a version does that cannot read it, and send it again."""
    execution = asyncio.run(_set_aside(up))
    [letter] = _letters(up.data, UNREADABLE)
    _dead(up.data, "--send-again", str(letter["number"]))
    with contextlib.suppress(AssertionError):
        wait_until(lambda: execution in journal.statuses, SETTLE_S)
    return {execution} if journal.statuses.get(execution) != "success" else set()


async def _set_aside(up: Up) -> str:
    passwords = json.loads((up.data / "secrets.json").read_text())
    url = (up.data / "run" / "nats-url").read_text().strip()
    bus = await NatsBus.connect(url, user="actors", password=passwords["nats-actors"])
    partitions = int((up.data / "partitions").read_text())
    execution = new_id_in(0, partitions, time.time_ns() // 1_000_000)
    [workflow] = pages(Api(up.url, up.token), "/workflows")
    item = {"json": {"body": {"turn": 1}}}
    request = RunRequest(
        execution, "main", str(workflow["id"]), content_hash(_document()), "", "webhook", [item], 0
    )
    subject = names.runs("local", partition_of(execution, partitions))
    stored = asyncio.Event()
    letter = letter_of(Message(subject, RUNS.encode([request]), 1), UNREADABLE, "of the drill")
    bury(bus, "local", letter, stored.set)
    await stored.wait()
    await bus.close()
    return execution
