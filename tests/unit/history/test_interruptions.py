"""What a projector says of a database that is away."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from penstock.actors.projector import projector as module
from penstock.actors.projector.projector import Projector, Settings
from penstock.subjects.blobs import BlobStore
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.clock import SystemClock
from penstock.subjects.memory_broker import MemoryBroker


def interruptions(directory: Path, reasons: list[str], *, patience_s: float = 0.0) -> str:
    """Let a projector meet these reasons, one at each try; the problem that it tells afterwards."""
    tries = iter(reasons)

    async def scenario() -> str:
        settings = Settings(postgres_url="", region="local", patience_s=patience_s)
        projector = Projector(
            MemoryBus(MemoryBroker()), BlobStore.local(directory), SystemClock(), settings
        )
        is_over = asyncio.Event()

        async def connect() -> Any:
            reason = next(tries, "")
            if not reason:
                is_over.set()
                await asyncio.Event().wait()
            raise OSError(reason)

        projector.connect = connect
        running = asyncio.create_task(projector.run())
        await is_over.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return projector.problem

    return asyncio.run(scenario())


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_FIRST_S", 0.0)


def test_an_outage_is_told_once_and_again_when_its_reason_changes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reasons = ["refused", "refused", "refused", "starting up", "starting up", "refused"]

    with caplog.at_level(logging.WARNING):
        interruptions(tmp_path, reasons)

    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "refused",
        "starting up",
        "refused",
    ]


def test_a_database_that_starts_at_the_same_time_is_no_problem(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        problem = interruptions(tmp_path, ["refused", "starting up"], patience_s=60.0)

    assert (problem, caplog.records) == ("", [])
