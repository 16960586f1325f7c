"""The load of `penstock chaos`: a workflow of its own, called steadily, and what was acknowledged.

A call counts when its answer is a 2xx with the execution's id: from then on the installation owes
that execution. Refusals with 429, 503 or 507 and broken connections owe nothing.
"""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from penstock.cli.api import Api, segment
from penstock.subjects.errors import PenstockError

NAME = "penstock chaos canary"
_PAUSE_S = 0.05
_KNOWN_S = 20.0
_RETRY_S = 0.2
_REFUSALS = (429, 503, 507)


def document(path: str) -> dict[str, Any]:
    """A webhook that answers at once, and a step behind it."""
    webhook = {"httpMethod": "POST", "path": path, "responseMode": "onReceived", "options": {}}
    mark = {"assignments": {"assignments": []}, "includeOtherFields": True, "options": {}}
    nodes = (("Webhook", "webhook", 2, webhook), ("Mark", "set", 3.4, mark))
    return {
        "name": NAME,
        "nodes": [
            {
                "id": name,
                "name": name,
                "type": f"n8n-nodes-base.{kind}",
                "typeVersion": version,
                "position": [200 * place, 0],
                "parameters": parameters,
            }
            for place, (name, kind, version, parameters) in enumerate(nodes)
        ],
        "connections": {"Webhook": {"main": [[{"node": "Mark", "type": "main", "index": 0}]]}},
        "settings": {"executionOrder": "v1"},
    }


class Canary:
    """Calls its webhook from a thread of its own."""

    def __init__(self, api: Api) -> None:
        self.acknowledged: set[str] = set()
        self.refused = 0
        self.odd: list[str] = []
        self._api = api
        self._path = f"penstock-chaos-{secrets.token_hex(8)}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._call_on, daemon=True)

    @contextmanager
    def calling(self) -> Iterator["Canary"]:
        """Import and activate the workflow, call it until `stop`, delete it in the end."""
        workflow = segment(str(self._api.post("/workflows", document(self._path))["id"]))
        try:
            self._api.post(f"/workflows/{workflow}/activate")
            self._wait_until_known()
            self._thread.start()
            yield self
        finally:
            self.stop()
            self._api.call("DELETE", f"/api/v1/workflows/{workflow}")

    def stop(self) -> None:
        """Call no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def wait_for_more(self, timeout_s: float) -> None:
        """Return when another call was acknowledged; raises when none is in time."""
        before, deadline_s = len(self.acknowledged), time.monotonic() + timeout_s
        while len(self.acknowledged) == before:
            if time.monotonic() > deadline_s:
                raise PenstockError(f"no webhook was accepted for {timeout_s:.0f} s")
            time.sleep(0.02)

    def settle(self, timeout_s: float) -> None:
        """Return when nothing is owed of what was acknowledged by now, or after the time."""
        owed, deadline_s = set(self.acknowledged), time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            owed = {execution for execution in owed if not self._has_ended(execution)}
            if not owed:
                return
            time.sleep(0.2)

    def owed(self) -> set[str]:
        """Acknowledged executions that the history does not show as a success."""
        return {execution for execution in self.acknowledged if not self._has_ended(execution)}

    def _has_ended(self, execution: str) -> bool:
        status, _, body = self._api.call("GET", f"/api/v1/executions/{segment(execution)}")
        return status == 200 and b'"success"' in body

    def _wait_until_known(self) -> None:
        deadline_s = time.monotonic() + _KNOWN_S
        while self._call() != 200:
            if time.monotonic() > deadline_s:
                raise PenstockError("the webhook of the drill is not served")
            time.sleep(_RETRY_S)

    def _call_on(self) -> None:
        while not self._stop.wait(_PAUSE_S):
            try:
                status = self._call()
            except PenstockError:
                continue  # the connection broke: nothing was promised
            if status in _REFUSALS:
                self.refused += 1
            elif status != 200:
                self.odd.append(str(status))

    def _call(self) -> int:
        path = f"/webhook/{self._path}"
        status, headers, _ = self._api.call("POST", path, {}, has_token=False)
        if status == 200:
            self.acknowledged.add(headers["x-penstock-execution"])
        return status
