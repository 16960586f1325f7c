"""The gateway as a process, and a real broker for it, for tests that call, kill and stop it.

Owners there are none: what a gateway stores stays in the stream, where `stored` reads it.
"""

import asyncio
import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.subjects.bus import Message
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.codec import Codec
from penstock.subjects.messages import RunRequest
from penstock.subjects.streams import Budget, ensure
from tests.servers import NatsServer, nats_server

RUNS: Codec[list[RunRequest]] = Codec(list[RunRequest])
PARTITIONS = 4
TOKEN = "integration"


@dataclass
class Process:
    """A gateway process and where it listens."""

    child: subprocess.Popen[bytes]
    url: str = ""

    def call(
        self, method: str, path: str, body: Any = None, timeout: float = 15
    ) -> tuple[int, dict[str, str], Any]:
        """One request; status 0 when there was no answer."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, _lower(answer.headers), json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, _lower(error.headers), json.loads(error.read() or b"null")
        except (OSError, http.client.HTTPException):
            return 0, {}, None

    def is_ready(self) -> bool:
        """Whether it says that it can take work."""
        return self.call("GET", "/readyz")[0] == 200

    def create(self, path: str, mode: str) -> None:
        """Save and activate a workflow of one webhook."""
        node = {
            "id": "1",
            "name": "Webhook",
            "type": "n8n-nodes-base.webhook",
            "typeVersion": 2,
            "position": [0, 0],
            "parameters": {"httpMethod": "POST", "path": path, "responseMode": mode},
        }
        document = {"name": path, "nodes": [node], "connections": {}}
        status, _, workflow = self.call("POST", "/api/v1/workflows", document)
        assert status == 201, workflow
        status, _, told = self.call("POST", f"/api/v1/workflows/{workflow['id']}/activate")
        assert status == 200, told


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@contextlib.contextmanager
def gateway(
    directory: Path, nats_url: str, *, port: int = 0, sibling: socket.socket | None = None
) -> Iterator[Process]:
    """A gateway process, told to stop at the end; `url` is empty until `ready` is read."""
    (directory / "owner-token").write_text(TOKEN)
    reading, writing = os.pipe()
    environment = os.environ | {
        "PENSTOCK_NATS_URL": nats_url,
        "PENSTOCK_DATA_DIR": str(directory),
        "PENSTOCK_OWNER_TOKEN_FILE": str(directory / "owner-token"),
        "PENSTOCK_PARTITIONS": str(PARTITIONS),
        "PENSTOCK_LISTEN": f"127.0.0.1:{port}",
        "PENSTOCK_READY_FD": str(writing),
        "PENSTOCK_SIBLING_FDS": str(sibling.fileno()) if sibling else "",
    }
    with (directory / "gateway.log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "penstock.gateway"],
            env=environment,
            pass_fds=[writing, *([sibling.fileno()] if sibling else [])],
            stderr=log,
        )
    os.close(writing)
    process = Process(child, f"http://127.0.0.1:{port}" if port else "")
    try:
        with os.fdopen(reading) as pipe:
            if not port:
                process.url = "http://" + pipe.readline().split()[1]
            yield process
    finally:
        if child.poll() is None:
            child.terminate()
        try:
            child.wait(15)
        finally:
            child.kill()
            child.wait()


@contextlib.contextmanager
def broker() -> Iterator[NatsServer]:
    """A broker with our streams."""
    with nats_server() as server:
        asyncio.run(_declare(server))
        yield server


async def _declare(server: NatsServer) -> None:
    bus = await NatsBus.connect(server.url, name="admin")
    await ensure(bus, "local", Budget(file_bytes=1 << 30))
    await bus.close()


def stored(server: NatsServer) -> list[str]:
    """The executions of every run request in the stream, in order."""

    async def read() -> list[str]:
        found: list[str] = []
        bus = await NatsBus.connect(server.url, name="reader")
        last = (await bus.info("EXEC"))["last"]
        done = asyncio.Event()

        def take(message: Message) -> None:
            if message.subject.endswith(".in.run"):
                found.extend(run.execution for run in RUNS.decode(message.payload))
            if message.sequence >= last:
                done.set()

        bus.follow("EXEC", "exec.local.>", 1, take)
        if last:
            await asyncio.wait_for(done.wait(), 20)
        await bus.close()
        return found

    return asyncio.run(read())


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait for what is truthy, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("not in time")
