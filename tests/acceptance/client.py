"""A user's view of a running Penstock: HTTP and the command line, nothing of its inside."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PENSTOCK = [sys.executable, "-m", "penstock.cli.main"]


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def http(method: str, url: str, body: bytes | None = None, **headers: str) -> Answer:
    """One request; any status is an answer. Header names are given with underscores."""
    request = urllib.request.Request(
        url,
        method=method,
        data=body,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return Answer(answer.status, _lower(answer.headers.items()), answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, _lower(error.headers.items()), error.read())


def _lower(pairs: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in pairs}


@dataclass
class Product:
    """A running `penstock up`."""

    url: str
    data: Path
    process: subprocess.Popen[str]

    @property
    def token(self) -> str:
        return (self.data / "owner-token").read_text().strip()

    def api(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Call the REST API as the owner."""
        data = None if body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.token}", "Content_Type": "application/json"}
        return http(method, f"{self.url}/api/v1{path}", data, **(sent | headers))

    def webhook(self, path: str, body: Any = None, method: str = "POST", **headers: str) -> Answer:
        """Call a webhook with a JSON body."""
        data = None if body is None else json.dumps(body).encode()
        return http(
            method,
            f"{self.url}/webhook/{path}",
            data,
            **({"Content_Type": "application/json"} | headers),
        )

    def create(self, document: Any, *, activate: bool = True) -> str:
        """Create a workflow, and activate it; its id."""
        created = self.api("POST", "/workflows", document)
        assert created.status == 201, created.body
        workflow: str = created.json["id"]
        if activate:
            activated = self.api("POST", f"/workflows/{workflow}/activate")
            assert activated.status == 200, activated.body
        return workflow

    def finished(self, execution: str, *, seconds: float = 20) -> Any:
        """Wait until an execution ended; the whole execution as the API shows it."""

        def ended() -> Any:
            answer = self.api("GET", f"/executions/{execution}")
            if answer.status != 200:
                return None
            return answer.json if answer.json["status"] in ENDED else None

        return until(ended, seconds=seconds)

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command against this installation."""
        return subprocess.run(
            [*PENSTOCK, *arguments, "--data", str(self.data)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


ENDED = {"success", "error", "canceled"}


def until(condition: Callable[[], Any], *, seconds: float) -> Any:
    """Poll until `condition` gives something true; fail when the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {condition}")


@contextmanager
def running(data: Path, *arguments: str) -> Iterator[Product]:
    """`penstock up` on `data` until the block ends."""
    log = (data.parent / f"{data.name}.log").open("a")
    process = subprocess.Popen(
        [*PENSTOCK, "up", "--data", str(data), *arguments],
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready http://"), Path(log.name).read_text()[-4000:]
        yield Product(line.split()[1], data, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
        log.close()
