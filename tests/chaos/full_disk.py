"""Row 9: the broker's streams are full. Refused at once, never a false 2xx, and it heals.

The limits of the streams are made small, which is how a full disk shows: the streams' limits add
up to less than the disk (`streams`), so they are what is met first.
"""

import contextlib
import json
import tempfile
import time
from pathlib import Path

from penstock.cli.api import Api
from tests.chaos.documents import activate, inline
from tests.chaos.figures import Drawn, Figure
from tests.chaos.journal_checker import JournalChecker
from tests.up import running_up, wait_until

FILE_BYTES = 16 * 1024 * 1024
BODY = {"text": "x" * 24_000}
"""Smaller than what is stored beside the streams."""
REFUSED_S = 2.0
HEALS_S = 20.0
FILLS_S = 60.0


def full_drill(n: int, seed: int) -> list[Figure]:
    """Fill the streams `n` times, each time until they refuse, and wait until they take again."""
    drawn = Drawn(9, n, seed)
    acknowledged: set[str] = set()
    odd: list[int] = []
    slowest_s, healed_s = 0.0, 0.0
    with tempfile.TemporaryDirectory(prefix="penstock-", ignore_cleanup_errors=True) as directory:
        data = Path(directory) / "data"
        _make_small(data)
        with running_up(data) as up, JournalChecker(data) as journal:
            api = Api(up.url, up.token)
            activate(api, inline("fill"))
            for _ in range(n):
                slowest_s = max(slowest_s, _fill(api, acknowledged, odd))
                began_s = time.monotonic()
                try:
                    wait_until(lambda: _call(api, acknowledged) == 200, HEALS_S)
                except AssertionError:
                    odd.append(0)
                healed_s = max(healed_s, time.monotonic() - began_s)
            with contextlib.suppress(AssertionError):
                wait_until(lambda: not journal.lost(lambda: acknowledged), 30)
            return [
                drawn.none_of("answers that are neither 200 nor 503 nor 507", odd),
                drawn.at_most("slowest refusal", slowest_s, REFUSED_S, "s"),
                drawn.at_most("taking again after", healed_s, HEALS_S, "s"),
                drawn.none_of("acknowledged webhooks lost", journal.lost(lambda: acknowledged)),
                drawn.none_of("executions started or ended twice", journal.twice()),
                drawn.told("acknowledged", len(acknowledged)),
            ]


def _make_small(data: Path) -> None:
    """A data directory whose streams may take little."""
    (data / "nats").mkdir(parents=True)
    (data / "lock").touch()
    (data / "nats" / "budget.json").write_text(json.dumps({"file_bytes": FILE_BYTES}))


def _call(api: Api, acknowledged: set[str]) -> int:
    status, headers, _ = api.call("POST", "/webhook/fill", BODY, has_token=False)
    if status == 200:
        acknowledged.add(headers["x-penstock-execution"])
    return status


def _fill(api: Api, acknowledged: set[str], odd: list[int]) -> float:
    """Call until ten calls in a row are refused; how long the slowest refusal took."""
    refused, slowest_s = 0, 0.0
    deadline = time.monotonic() + FILLS_S
    while refused < 10 and time.monotonic() < deadline:
        began_s = time.monotonic()
        status = _call(api, acknowledged)
        if status == 200:
            refused = 0
        elif status in (503, 507):
            refused += 1
            slowest_s = max(slowest_s, time.monotonic() - began_s)
        else:
            odd.append(status)
    return slowest_s
