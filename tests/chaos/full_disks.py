"""Row 9, the disks themselves: no byte of room under the broker, under Postgres, under the blobs.

Somebody else fills the disk, all at once, and after a while makes room again. Meanwhile requests
are refused at once or taken for good, never a success that is lost; afterwards nobody is needed.
Each of the three stands on a small disk of its own, so that one is full at a time.
"""

import contextlib
import http.client
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from penstock.cli.api import Api
from penstock.cli.tables import pages
from penstock.subjects.errors import PenstockError
from penstock.supervisor import postgres
from penstock.supervisor.data_dir import DataDir
from tests.chaos.documents import activate, inline
from tests.chaos.figures import Drawn, Figure
from tests.chaos.full_disk import HEALS_S, full_drill
from tests.chaos.journal_checker import JournalChecker
from tests.chaos.mounts import filled, small_disk, why_not
from tests.up import Up, running_up, wait_until

DISK_BYTES = 256 * 1024 * 1024
FULL_S = 4.0
SETTLE_S = 45.0
DRAINED_S = 60.0
REFUSED_S = 3.5
"""What is on its way as the disk fills waits for an acknowledgement (2 s) or for the word of its
owner first: asked after 0.5 s, again 1 s later, each up to 0.25 s late, and given 1 s to answer."""
OUTAGE_S = 11.0
"""While the broker is restarted requests are tried for 10 s, as in any outage of it."""
UPLOAD_BYTES = 50_000
REFUSALS = (503, 507)


class Caller:
    """Calls one at a time, and what came of them."""

    def __init__(self, up: Up) -> None:
        self._address = urlsplit(up.url).netloc
        self._token = up.token
        self._number = 0
        self.acknowledged: set[str] = set()
        self.odd: list[str] = []
        self.refused = 0
        self.slowest_refusal_s = 0.0
        """Of the calls that began while a disk was full."""
        self.slowest_outage_s = 0.0
        """Of those that were refused at other times."""
        self._is_full = False

    @contextlib.contextmanager
    def filled(self, disk: Path) -> Iterator[None]:
        """A disk without a byte of room."""
        with filled(disk):
            self._is_full = True
            yield
            self._is_full = False

    def call(self) -> int:
        """A webhook call with a small JSON body; its status."""
        return self._send("/webhook/later", self._json({"turn": self._number}))

    def ask(self) -> int:
        """A webhook call that is answered by the execution's end; its status."""
        return self._send("/webhook/now", self._json({"turn": self._number}))

    def upload(self) -> int:
        """A webhook call whose body goes to the object store; its status."""
        return self._send("/webhook/later", os.urandom(UPLOAD_BYTES), "application/octet-stream")

    def save(self) -> int:
        """A workflow that is to be stored; the status of the answer."""
        return self._send("/api/v1/workflows", self._json(inline(f"saved-{self._number}")))

    def _json(self, value: object) -> bytes:
        return json.dumps(value).encode()

    def _send(self, path: str, body: bytes, content_type: str = "application/json") -> int:
        self._number += 1
        headers = {"Content-Type": content_type, "Authorization": f"Bearer {self._token}"}
        connection = http.client.HTTPConnection(self._address, timeout=30)
        began_s, was_full = time.monotonic(), self._is_full
        try:
            connection.request("POST", path, body=body, headers=headers)
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        execution = answer.getheader("X-Penstock-Execution")
        if answer.status < 300 and execution:
            self.acknowledged.add(execution)
        elif answer.status in REFUSALS:
            self.refused += 1
            took_s = time.monotonic() - began_s
            if was_full:
                self.slowest_refusal_s = max(self.slowest_refusal_s, took_s)
            else:
                self.slowest_outage_s = max(self.slowest_outage_s, took_s)
        elif answer.status >= 300:
            self.odd.append(f"{path}: {answer.status}")
        return answer.status


@contextlib.contextmanager
def standing_on(part: str, *options: str) -> Iterator[tuple[Up, Path]]:
    """An installation whose `part` (a folder of its data directory) has a small disk of its own."""
    with tempfile.TemporaryDirectory(prefix="penstock-full-", ignore_cleanup_errors=True) as place:
        data = Path(place) / "data"
        with running_up(data, *options) as up:
            activate(Api(up.url, up.token), inline("later"), inline("now", "lastNode"))
            up.stop()
        with small_disk(data / part, DISK_BYTES), running_up(data, *options) as up:
            yield up, data / part


def row_drill(n: int, seed: int) -> list[Figure]:
    """Streams that are full, then disks, where they can be mounted."""
    figures = full_drill(n, seed)
    if reason := why_not():
        return [*figures, Figure(9, "disks full", reason, "-", True, 0, seed)]
    return [*figures, *disk_drill(n, seed), *cluster_drill(n, seed)]


def disk_drill(n: int, seed: int) -> list[Figure]:
    """Each of the three disks is full `n` times."""
    drawn = Drawn(9, n, seed)
    return [*_broker(drawn), *_postgres(drawn), *_blobs(drawn)]


def cluster_drill(n: int, seed: int) -> list[Figure]:
    """Three brokers: the disk that they share is full, then that of one of them, `n` times each."""
    drawn = Drawn(9, n, seed)
    return [*_broker(drawn, "--nodes", "3"), *_one_of_three(drawn)]


def _broker(drawn: Drawn, *options: str) -> list[Figure]:
    """Full under the broker's store; then once more, and the broker is killed while it is."""
    whose = "three brokers'" if options else "broker's"
    with standing_on("nats", *options) as (up, disk), JournalChecker(up.data) as journal:
        caller = Caller(up)
        _expect_200(caller.call)
        others = _pids(up, without=("nats",))
        ways = (caller.ask, caller.call, caller.save)
        healed_s = 0.0
        for dies in (False, True) * drawn.n:
            _call_for(1, *ways)
            with caller.filled(disk):
                _call_for(FULL_S / 2, *ways)
                if dies and (running := _running_broker(up)):
                    up.kill(running)
                _call_for(FULL_S / 2, *ways)
            healed_s = max(healed_s, *(_healed_s(way) for way in ways))
        return [
            *_common(drawn, whose, up, caller, journal),
            drawn.at_least(f"{whose} disk full: refused", caller.refused, 2 * drawn.n),
            drawn.at_most(f"{whose} disk full: taking again after", healed_s, HEALS_S, "s"),
            drawn.none_of(f"{whose} disk full: others restarted", _changed(up, others)),
        ]


def _one_of_three(drawn: Drawn) -> list[Figure]:
    """Full under one server's store: the others go on, and it comes back when there is room."""
    whose, full = "one of three brokers'", "nats-1"
    with (
        standing_on("nats/store-1-of-3", "--nodes", "3") as (up, disk),
        JournalChecker(up.data) as journal,
    ):
        caller = Caller(up)
        _expect_200(caller.call)
        others = _pids(up, without=(full,))
        ways = (caller.ask, caller.call, caller.save)
        taken_s, back_s = 0.0, 0.0
        for _ in range(drawn.n):
            before = up.pid_of(full)
            with filled(disk):
                _call_for(FULL_S, *ways)
                taken_s = max(taken_s, *(_healed_s(way) for way in ways))
            began_s = time.monotonic()
            with contextlib.suppress(AssertionError):
                up.wait_until_restarted(full, before, HEALS_S + 5)
            back_s = max(back_s, time.monotonic() - began_s)
            _expect_200(caller.call)
        return [
            *_common(drawn, whose, up, caller, journal),
            drawn.at_most(f"{whose} disk full: taken without it after", taken_s, OUTAGE_S, "s"),
            drawn.at_most(f"{whose} disk full: complete again after", back_s, HEALS_S, "s"),
            drawn.none_of(f"{whose} disk full: others restarted", _changed(up, others)),
        ]


def _postgres(drawn: Drawn) -> list[Figure]:
    """Full under Postgres, so that not even its log finds room: it panics, and comes again."""
    with standing_on("postgres") as (up, disk), JournalChecker(up.data) as journal:
        caller = Caller(up)
        _expect_200(caller.call)
        others = _pids(up, without=("postgres",))
        for _ in range(drawn.n):
            with caller.filled(disk):
                _call_for(FULL_S / 2, caller.call)
                _use_up_the_log(up)
                _call_for(FULL_S / 2, caller.call)
            _expect_200(caller.call)
        drained_s = _drained_s(up, caller.acknowledged)
        return [
            *_common(drawn, "Postgres'", up, caller, journal),
            drawn.at_least("Postgres' disk full: panics of Postgres", _panics(up), 1),
            drawn.at_most("Postgres' disk full: webhooks refused", caller.refused, 0),
            drawn.at_most("Postgres' disk full: history complete after", drained_s, DRAINED_S, "s"),
            drawn.none_of("Postgres' disk full: others restarted", _changed(up, others)),
        ]


def _blobs(drawn: Drawn) -> list[Figure]:
    """Full under the object store: what needs it is refused, everything else goes on."""
    with standing_on("blobs") as (up, disk), JournalChecker(up.data) as journal:
        caller = Caller(up)
        _expect_200(caller.call)
        _expect_200(caller.upload)
        others = _pids(up)
        uploads: list[int] = []
        calls: list[int] = []
        for _ in range(drawn.n):
            with caller.filled(disk):
                deadline = time.monotonic() + FULL_S
                while time.monotonic() < deadline:
                    uploads.append(caller.upload())
                    calls.append(caller.call())
                    time.sleep(0.05)
            _expect_200(caller.upload)
        drained_s = _drained_s(up, caller.acknowledged)
        return [
            *_common(drawn, "blobs'", up, caller, journal),
            drawn.none_of("blobs' disk full: uploads not refused", _other_than(507, uploads)),
            drawn.none_of("blobs' disk full: other calls refused", _other_than(200, calls)),
            drawn.at_most("blobs' disk full: history complete after", drained_s, DRAINED_S, "s"),
            drawn.none_of("blobs' disk full: restarted", _changed(up, others)),
        ]


def _common(
    drawn: Drawn, whose: str, up: Up, caller: Caller, journal: JournalChecker
) -> list[Figure]:
    """What must hold whichever disk is full."""
    acknowledged = caller.acknowledged
    with contextlib.suppress(AssertionError):
        wait_until(lambda: not journal.lost(lambda: acknowledged), SETTLE_S)
    what = f"{whose} disk full"
    ends = [status for one in acknowledged if (status := journal.statuses.get(one)) != "success"]
    return [
        drawn.none_of(f"{what}: answers other than success or refusal", caller.odd),
        drawn.at_most(f"{what}: slowest refusal", caller.slowest_refusal_s, REFUSED_S, "s"),
        drawn.at_most(f"{what}: slowest until it heals", caller.slowest_outage_s, OUTAGE_S, "s"),
        drawn.none_of(f"{what}: acknowledged and lost", journal.lost(lambda: acknowledged)),
        drawn.none_of(f"{what}: ended otherwise than they should", ends),
        drawn.none_of(f"{what}: started or ended twice", journal.twice()),
        drawn.told(f"{what}: acknowledged", len(acknowledged)),
    ]


def _call_for(seconds: float, *calls: Callable[[], int]) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for call in calls:
            call()
        time.sleep(0.05)


def _expect_200(call: Callable[[], int]) -> None:
    wait_until(lambda: call() == 200, HEALS_S)


def _healed_s(call: Callable[[], int]) -> float:
    """How long until it is taken again; more than the limit when it never is."""
    began_s = time.monotonic()
    with contextlib.suppress(AssertionError):
        wait_until(lambda: call() < 300, HEALS_S + 5)
    return time.monotonic() - began_s


def _drained_s(up: Up, acknowledged: set[str]) -> float:
    """How long until the history shows all of them."""
    api = Api(up.url, up.token)
    began_s = time.monotonic()

    def is_there() -> bool:
        try:
            shown = list(pages(api, "/executions", status="success"))
        except PenstockError:
            return False  # not before the database is back
        return acknowledged <= {str(row["id"]) for row in shown}

    with contextlib.suppress(AssertionError):
        wait_until(is_there, DRAINED_S + 5)
    return time.monotonic() - began_s


def _use_up_the_log(up: Up) -> None:
    """Have Postgres begin one segment of its log after another until there is no room for it."""
    with contextlib.suppress(psycopg.Error):
        server = postgres.configure(DataDir(up.data))
        with psycopg.connect(server.url, autocommit=True, connect_timeout=5) as connection:
            for _ in range(64):
                connection.execute("SELECT pg_logical_emit_message(true, 'drill', repeat('x', 99))")
                connection.execute("SELECT pg_switch_wal()")


def _panics(up: Up) -> int:
    return (up.data / "logs" / "postgres.log").read_text().count("PANIC: ")


def _running_broker(up: Up) -> str:
    """One that runs; of a cluster whose disk is full, some have ended by themselves."""
    brokers = {name: child for name, child in up.tree().items() if name.startswith("nats")}
    return next((name for name, child in brokers.items() if child.get("pid")), "")


def _pids(up: Up, without: tuple[str, ...] = ()) -> dict[str, int]:
    return {n: child["pid"] for n, child in up.tree().items() if not n.startswith(without)}


def _changed(up: Up, before: dict[str, int]) -> list[str]:
    now = _pids(up)
    return [name for name, pid in before.items() if now.get(name) != pid]


def _other_than(wanted: int, statuses: list[int]) -> list[int]:
    return [status for status in statuses if status != wanted]
