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


def test_an_outage_is_told_once_and_again_when_its_reason_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RETRY_FIRST_S", 0.0)
    reasons = ["refused", "refused", "refused", "starting up", "starting up", "refused"]
    tries = iter(reasons)

    async def scenario() -> None:
        settings = Settings(postgres_url="", region="local")
        projector = Projector(
            MemoryBus(MemoryBroker()), BlobStore.local(tmp_path), SystemClock(), settings
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

    with caplog.at_level(logging.WARNING):
        asyncio.run(scenario())

    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "refused",
        "starting up",
        "refused",
    ]
