"""The gateway as a process, against a real broker: early, under kills, on its way out."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from penstock.subjects import asks, names
from penstock.subjects.bus import Message
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.codec import Codec
from penstock.subjects.messages import Reply, RunRequest
from penstock.subjects.streams import Budget, ensure
from tests.servers import NatsServer, free_port, nats_server

RUNS: Codec[list[RunRequest]] = Codec(list[RunRequest])
REPLIES: Codec[list[Reply]] = Codec(list[Reply])
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
        return self.call("GET", "/readyz")[0] == 200

    def create(self, path: str, mode: str) -> None:
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
        child.wait(15)


@contextlib.contextmanager
def broker() -> Iterator[NatsServer]:
    """A broker with our streams."""
    with nats_server() as server:
        asyncio.run(declare(server))
        yield server


async def declare(server: NatsServer) -> None:
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
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("not in time")


@dataclass
class Callers:
    """Threads that call a webhook again and again and remember what was acknowledged."""

    process: Process
    path: str
    acknowledged: list[str] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)
    is_over: bool = False

    def __enter__(self) -> "Callers":
        self.threads = [threading.Thread(target=self._call) for _ in range(8)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.is_over = True
        for thread in self.threads:
            thread.join()

    def wait_for(self, acknowledged: int) -> None:
        until(lambda: len(self.acknowledged) > acknowledged)

    def _call(self) -> None:
        while not self.is_over:
            status, headers, _ = self.process.call("POST", self.path, {"a": 1})
            self.statuses.add(status)
            if status == 200:
                self.acknowledged.append(headers["x-penstock-execution"])


def test_it_listens_before_the_broker_is_there_and_never_says_404_for_a_known_route(
    tmp_path: Path,
) -> None:
    with broker() as server:
        with gateway(tmp_path, server.url) as first:
            first.create("kept", "onReceived")
        server.stop()
        with gateway(tmp_path, server.url, port=free_port()) as second:
            seen: set[int] = set()
            until(lambda: second.call("GET", "/healthz")[0] == 200)
            status, headers, problem = second.call("POST", "/webhook/kept", {})
            assert status == 503
            assert headers["retry-after"]
            assert problem["title"]
            assert second.call("GET", "/readyz")[0] == 503
            server.start()

            def answered() -> bool:
                seen.add(second.call("POST", "/webhook/kept", {})[0])
                return 200 in seen

            until(answered)

        assert seen <= {200, 503}


def test_kill_9_of_the_gateway_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with broker() as server:
        acknowledged: list[str] = []
        port = free_port()
        with gateway(tmp_path, server.url) as first:
            first.create("load", "onReceived")
        for _ in range(3):
            with gateway(tmp_path, server.url, port=port) as process:
                until(process.is_ready)
                with Callers(process, "/webhook/load") as callers:
                    callers.wait_for(100)
                    process.child.send_signal(signal.SIGKILL)
                    process.child.wait(10)
                acknowledged += callers.acknowledged
                assert callers.statuses <= {200, 0}

        found = stored(server)

    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found))


def test_kill_9_of_the_broker_loses_nothing_and_stores_nothing_twice(tmp_path: Path) -> None:
    with broker() as server:
        with gateway(tmp_path, server.url) as process:
            process.create("load", "onReceived")
            with Callers(process, "/webhook/load") as callers:
                for wanted in (100, 200, 300):
                    callers.wait_for(wanted)
                    server.kill()
                    server.start()
                callers.wait_for(400)
        found = stored(server)

    assert callers.statuses == {200}
    assert set(callers.acknowledged) <= set(found)
    assert len(found) == len(set(found))


def test_on_sigterm_what_waits_is_answered_and_the_process_ends(tmp_path: Path) -> None:
    with broker() as server:
        with gateway(tmp_path, server.url) as process:
            process.create("sync", "lastNode")
            answers: list[Any] = []
            caller = threading.Thread(
                target=lambda: answers.append(process.call("POST", "/webhook/sync", {}))
            )
            caller.start()
            until(lambda: stored(server))
            process.child.terminate()
            until(lambda: process.call("GET", "/healthz", timeout=1)[0] == 0)

            asyncio.run(answer_all(server))

            caller.join(10)
            assert process.child.wait(10) == 0
        assert answers[0][0] == 200
        assert answers[0][2] == {"late": True}


def test_on_sigterm_what_is_not_answered_in_time_is_told_that_it_goes_on(tmp_path: Path) -> None:
    with broker() as server, gateway(tmp_path, server.url) as process:
        process.create("sync", "lastNode")
        answers: list[Any] = []
        caller = threading.Thread(
            target=lambda: answers.append(process.call("POST", "/webhook/sync", {}))
        )
        caller.start()
        execution = until(lambda: stored(server))[0]

        process.child.terminate()

        caller.join(10)
        assert process.child.wait(10) == 0
        status, headers, problem = answers[0]
        assert (status, headers["x-penstock-execution"]) == (504, execution)
        assert problem["execution"] == execution


async def answer_all(server: NatsServer) -> None:
    """Answer every waiting request in the stream, as owners do."""
    bus = await NatsBus.connect(server.url, name="owner")
    answered = asyncio.Event()

    def reply(message: Message) -> None:
        for run in RUNS.decode(message.payload):
            if run.reply is not None:
                answer = Reply(run.reply.request, run.execution, 200, {}, b'{"late":true}')
                bus.publish(names.replies(run.reply.gateway), REPLIES.encode([answer]))
                answered.set()

    for partition in range(PARTITIONS):
        bus.follow("EXEC", names.runs("local", partition), 1, reply)
    await asyncio.wait_for(answered.wait(), 10)
    await bus.info("EXEC")  # a round trip: what was published before it has left
    await bus.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 200_000, b"431"),
        (b"GET /" + b"a" * 200_000, b"431"),
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"200"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_odd_requests_on_the_wire_are_refused_and_the_next_is_served(
    tmp_path: Path, sent: bytes, status: bytes
) -> None:
    with broker() as server, gateway(tmp_path, server.url) as process:
        host, _, port = process.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as wire:
            with contextlib.suppress(OSError):
                wire.sendall(sent)
            answer = wire.recv(4096)

        assert answer.startswith(b"HTTP/1.1 " + status), answer
        assert process.is_ready()


@pytest.mark.parametrize("limited", [True, False])
def test_limits_come_from_the_tenants_actor(tmp_path: Path, limited: bool) -> None:
    with broker() as server, gateway(tmp_path, server.url) as process:
        process.create("now", "onReceived")
        stop = threading.Event()
        lease = asks.LeaseAnswer(0, 5_000, limited=limited, retry_after_ms=1_500, reason="enough")
        actor = threading.Thread(target=lambda: asyncio.run(lend(server, lease, stop)))
        actor.start()
        until(lambda: process.call("POST", "/webhook/now", {})[0] == (429 if limited else 200))

        status, headers, body = process.call("POST", "/webhook/now", {})

        stop.set()
        actor.join()
        if limited:
            assert (status, body["detail"]) == (429, "enough")
            assert headers["retry-after"] in {"1", "2"}
        else:
            assert status == 200


async def lend(server: NatsServer, lease: asks.LeaseAnswer, stop: threading.Event) -> None:
    bus = await NatsBus.connect(server.url, name="tenant")
    answer = asks.lease_answer.encode(lease)
    bus.subscribe("ask.local.*.lease", lambda message: bus.publish(message.reply, answer))
    await asyncio.to_thread(stop.wait)
    await bus.close()


@pytest.mark.parametrize(
    ("surroundings", "said"),
    [
        ({"PENSTOCK_NATS_URL": ""}, "PENSTOCK_NATS_URL"),
        ({"PENSTOCK_PARTITIONS": "many"}, "PENSTOCK_"),
        ({"PENSTOCK_DATA_DIR": "/dev/null/data"}, "resume-keys"),
    ],
)
def test_what_keeps_it_from_starting_is_a_line_of_its_log_with_what_to_do(
    surroundings: dict[str, str], said: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "penstock.gateway"],
        env=os.environ | {"PENSTOCK_NATS_URL": "nats://127.0.0.1:1"} | surroundings,
        capture_output=True,
        timeout=60,
        check=False,
    )

    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    (line,) = [line for line in lines if line.get("event") == "failed"]
    assert ended.returncode == 2
    assert said in f"{line['message']} {line['remedy']}"
    assert line["remedy"]


class Steady:
    """A caller with one connection, which it uses again and again until it is told not to."""

    def __init__(self, process: Process, path: str) -> None:
        self.served = 0
        self.broken: list[str] = []
        self._address = process.url.removeprefix("http://").split(":")
        self._path = path
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        host, port = self._address
        while True:
            connection = http.client.HTTPConnection(host, int(port), timeout=10)
            try:
                connection.connect()
            except ConnectionRefusedError:
                return
            try:
                while self._call(connection):
                    pass
            except (OSError, http.client.HTTPException) as error:
                self.broken.append(f"{type(error).__name__}: {error}")
            connection.close()

    def _call(self, connection: http.client.HTTPConnection) -> bool:
        """One request; whether the connection may be used again."""
        connection.request("POST", self._path, b"{}", {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        self.served += 1
        return answer.getheader("connection") != "close"


def test_on_sigterm_under_load_no_request_that_was_sent_goes_without_its_answer(
    tmp_path: Path,
) -> None:
    with broker() as server, gateway(tmp_path, server.url) as process:
        process.create("async", "onReceived")
        callers = [Steady(process, "/webhook/async") for _ in range(16)]
        until(lambda: all(caller.served > 5 for caller in callers))

        process.child.terminate()

        for caller in callers:
            caller.thread.join(20)
        assert process.child.wait(10) == 0
        assert [broken for caller in callers for broken in caller.broken] == []


def test_callers_whom_a_sibling_leaves_waiting_are_answered(tmp_path: Path) -> None:
    with broker() as server, socket.create_server(("127.0.0.1", 0)) as sibling:
        with gateway(tmp_path, server.url, sibling=sibling) as process:
            process.create("relieved", "onReceived")
            host, port = sibling.getsockname()
            left_waiting = Process(process.child, f"http://{host}:{port}")

            answers = [left_waiting.call("POST", "/webhook/relieved", {}) for _ in range(5)]

        assert [status for status, _, _ in answers] == [200] * 5
