"""Programs that start while the broker is away: they wait in place, and end when told to."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.streams import Budget, ensure
from tests.servers import free_port, nats_server

DEADLINE_S = 10.0
PROGRAMS = ("penstock.actors", "penstock.actors.projector", "penstock.sandbox_host")


@contextmanager
def started(module: str, data: Path, url: str) -> Iterator[subprocess.Popen[str]]:
    """A program that has said something, which without a broker is that there is none."""
    surroundings = {
        "PENSTOCK_NATS_URL": url,
        "PENSTOCK_DATA_DIR": str(data),
        "PENSTOCK_POSTGRES_URL": "postgresql://127.0.0.1:1/none",
        "PENSTOCK_SANDBOX": "weak",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        env=os.environ | surroundings,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until_it_says(process: subprocess.Popen[str], word: str) -> None:
    """Read its log up to a line with this word; fails when it ends before."""
    assert process.stderr is not None
    deadline = time.monotonic() + DEADLINE_S
    for line in process.stderr:
        if word in line:
            return
        assert time.monotonic() < deadline, line
    raise AssertionError(f"it ended without saying {word}")


@pytest.mark.parametrize("module", PROGRAMS)
def test_a_program_that_waits_for_the_broker_ends_when_it_is_told_to(
    module: str, tmp_path: Path
) -> None:
    with started(module, tmp_path, f"nats://127.0.0.1:{free_port()}") as process:
        until_it_says(process, "nats: ")

        process.send_signal(signal.SIGTERM)

        process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0


def test_a_sandbox_host_waits_for_streams_that_do_not_answer(tmp_path: Path) -> None:
    async def declare(url: str) -> None:
        bus = await NatsBus.connect(url)
        await ensure(bus, "local", Budget(file_bytes=1 << 30))
        await bus.close()

    with nats_server() as server, started("penstock.sandbox_host", tmp_path, server.url) as host:
        until_it_says(host, "cannot join")

        asyncio.run(declare(server.url))

        until_it_says(host, '"ready"')
