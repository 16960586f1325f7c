"""The gateway as a process: odd requests on the wire, limits from a tenant's actor, bad settings.

What comes from outside is refused in words and ends nobody, and what keeps the process from
starting is said with its remedy.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from penstock.subjects import asks
from penstock.subjects.bus_nats import NatsBus
from tests.integration.gateway_process import broker, gateway, until
from tests.servers import NatsServer


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 200_000, b"431"),
        (b"GET /" + b"a" * 200_000, b"414"),
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
        actor = threading.Thread(target=lambda: asyncio.run(lend(server, lease, stop)), daemon=True)
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
