"""A steady load of webhook calls that writes down what was acknowledged, and how the rest ended.

A call counts as acknowledged when its answer is a 2xx with the execution's id: from then on the
product owes that execution. Refusals (503, 429) and broken connections owe nothing; any other
answer is a fault and is kept with its words.
"""

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from types import TracebackType
from urllib.parse import urlsplit

_PAUSE_S = 0.02
_TIMEOUT_S = 30.0
_REFUSALS = (429, 503, 507)


class WebhookLoad:
    """Calls the given paths in turns from some threads, from `with` to its end."""

    def __init__(
        self, url: str, paths: list[str], *, threads: int = 4, pause_s: float = _PAUSE_S
    ) -> None:
        self._pause_s = pause_s
        self._address = urlsplit(url).netloc
        self._paths = paths
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._call_on, args=(number,), daemon=True)
            for number in range(threads)
        ]
        self.acknowledged: dict[str, str] = {}
        """The path that was called, by execution."""
        self.acknowledged_at_s: list[float] = []
        """When each was, by the monotonic clock."""
        self.took_s: list[float] = []
        """How long each took."""
        self.outcomes: Counter[str] = Counter()
        self.faults: list[str] = []

    def __enter__(self) -> "WebhookLoad":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_TIMEOUT_S + 5)

    def wait_for(self, more: int, timeout_s: float) -> None:
        """Return when `more` calls than now have been acknowledged: it serves again."""
        goal = len(self.acknowledged) + more
        deadline = time.monotonic() + timeout_s
        while len(self.acknowledged) < goal:
            if time.monotonic() > deadline:
                raise AssertionError(f"no more acknowledgements: {dict(self.outcomes)}")
            time.sleep(0.02)

    def longest_gap_s(self) -> float:
        """The longest time so far in which nothing was acknowledged."""
        times = sorted(self.acknowledged_at_s)
        return max((after - before for before, after in itertools.pairwise(times)), default=0.0)

    def _call_on(self, number: int) -> None:
        connection: http.client.HTTPConnection | None = None
        turn = number
        while not self._stop.wait(self._pause_s):
            turn += 1
            path = self._paths[turn % len(self._paths)]
            try:
                connection = connection or http.client.HTTPConnection(
                    self._address, timeout=_TIMEOUT_S
                )
                self._call(connection, path, turn)
            except (OSError, http.client.HTTPException) as error:
                self._count(type(error).__name__)
                if connection is not None:
                    connection.close()
                connection = None

    def _call(self, connection: http.client.HTTPConnection, path: str, turn: int) -> None:
        body = json.dumps({"turn": turn})
        headers = {"Content-Type": "application/json"}
        began_s = time.monotonic()
        connection.request("POST", f"/webhook/{path}", body=body, headers=headers)
        answer = connection.getresponse()
        payload = answer.read()
        execution = answer.getheader("X-Penstock-Execution") or ""
        self._count(str(answer.status))
        with self._lock:
            if 200 <= answer.status < 300 and execution:
                self.acknowledged[execution] = path
                self.acknowledged_at_s.append(time.monotonic())
                self.took_s.append(self.acknowledged_at_s[-1] - began_s)
            elif answer.status not in _REFUSALS:
                self.faults.append(f"{path}: {answer.status} {payload[:300]!r}")

    def _count(self, outcome: str) -> None:
        with self._lock:
            self.outcomes[outcome] += 1
