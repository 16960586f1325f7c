"""`python -m penstock.actors.projector` as a process, on a real broker with its own rights."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.errors import BusError
from penstock.subjects.history import HistoryClient
from penstock.subjects.streams import Budget, ensure
from penstock.subjects.views import ExecutionView
from tests.integration.journalist import Journalist
from tests.servers import NatsServer, nats_server, postgres_server


@pytest.fixture
def broker() -> Iterator[NatsServer]:
    with nats_server() as server:
        yield server


class Program:
    """The projector's process."""

    def __init__(self, broker: NatsServer, postgres_url: str, directory: Path) -> None:
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PENSTOCK_")},
            "PENSTOCK_NATS_URL": broker.url,
            "PENSTOCK_NATS_USER": "projector",
            "PENSTOCK_POSTGRES_URL": postgres_url,
            "PENSTOCK_DATA_DIR": str(directory),
            # The journalist's executions are of a day long ago.
            "PENSTOCK_HISTORY_DAYS": "0",
        }

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "penstock.actors.projector"],
            env=self._environment,
            stderr=subprocess.PIPE,
        )
        assert self.process.stderr is not None
        wait_until_ready(self.process.stderr)

    def end(self, sign: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(sign)
        try:
            return self.process.wait(10)
        finally:
            if self.process.poll() is None:
                self.process.kill()
            assert self.process.stderr is not None
            self.process.stderr.close()


def wait_until_ready(log: IO[bytes]) -> None:
    for line in log:
        if json.loads(line)["event"] == "ready":
            return
    raise AssertionError("the program ended before it was ready")


async def read_at_last(history: HistoryClient, execution: str) -> ExecutionView:
    """Read an execution once the projector can answer."""
    async with asyncio.timeout(20):
        while True:
            try:
                view = await history.read("main", execution)
                assert view is not None
                return view
            except BusError:
                await asyncio.sleep(0.02)


def test_it_answers_survives_kill_9_and_drains_on_sigterm(
    broker: NatsServer, tmp_path: Path
) -> None:
    async def scenario(program: Program) -> None:
        bus = await NatsBus.connect(broker.url, name="test", wait_s=10)
        await ensure(bus, "local", Budget(file_bytes=1 << 30))
        journalist = Journalist(bus)
        await journalist.save_plans()
        history = HistoryClient(bus, "local")
        before, after = journalist.request(), journalist.request()

        await asyncio.to_thread(program.start)
        await journalist.run_all([before])
        seen = await read_at_last(history, before.execution)
        await asyncio.to_thread(program.end, signal.SIGKILL)
        await journalist.run_all([after])
        await asyncio.to_thread(program.start)
        seen_again = await read_at_last(history, before.execution)
        seen_after = await read_at_last(history, after.execution)
        status = await asyncio.to_thread(program.end, signal.SIGTERM)
        await bus.close()

        assert len(seen.runs) == 6
        assert seen_again == seen
        assert seen_after.status == "success"
        assert status == 0

    with postgres_server() as server:
        program = Program(broker, server.database("history"), tmp_path)
        try:
            asyncio.run(asyncio.wait_for(scenario(program), 50))
        finally:
            program.end(signal.SIGKILL)


def test_it_says_what_setting_is_missing() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "penstock.actors.projector"],
        env={"PATH": os.environ["PATH"], "PENSTOCK_NATS_URL": "nats://127.0.0.1:1"},
        capture_output=True,
        timeout=20,
        check=False,
    )

    assert ended.returncode == 2
    assert "PENSTOCK_POSTGRES_URL" in json.loads(ended.stderr)["message"]
