"""The end of executions as the journal tells it: the one truth that the figures rest on.

`ends_after` reads the journal once a load is over, so that counting costs nothing while it runs;
`watch_ends` follows it live, for the latency at a low rate.
"""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.actors.execution.events import Finished
from penstock.actors.journal import RECORDS, Happened, is_journal
from penstock.subjects.bus import Message
from penstock.subjects.bus_nats import NatsBus

QUIET_S = 0.3


def _note_ends(message: Message, ends: dict[str, float], at_ms: float | None = None) -> None:
    if not is_journal(message.subject):
        return
    record = RECORDS.decode(message.payload)
    for entry in record.entries:
        if isinstance(entry, Happened) and any(isinstance(e, Finished) for e in entry.events):
            ends[entry.execution] = record.now_ms if at_ms is None else at_ms


async def _connect(data: Path) -> NatsBus:
    secret = json.loads((data / "secrets.json").read_text())["nats-projector"]
    url = (data / "run/nats-url").read_text().strip()
    return await NatsBus.connect(url, user="projector", password=secret, name="bench", wait_s=10)


def position(data: Path) -> int:
    """The last sequence of EXEC."""

    async def ask() -> int:
        bus = await _connect(data)
        try:
            return (await bus.info("EXEC"))["last"]
        finally:
            await bus.close()

    return asyncio.run(ask())


def ends_after(data: Path, start: int) -> dict[str, float]:
    """Executions that ended beyond sequence `start`, with the owner's time of it in ms."""

    async def read() -> dict[str, float]:
        bus = await _connect(data)
        ends: dict[str, float] = {}
        last = (await bus.info("EXEC"))["last"]
        done = asyncio.Event()

        def on_message(message: Message) -> None:
            _note_ends(message, ends)
            if message.sequence >= last:
                done.set()

        if last > start:
            follow = bus.follow("EXEC", "exec.>", start + 1, on_message)
            await asyncio.wait_for(done.wait(), 120)
            follow.close()
        await bus.close()
        return ends

    return asyncio.run(read())


@contextmanager
def watch_ends(data: Path) -> Iterator[dict[str, float]]:
    """A dictionary that fills with the time (ms) at which each end was seen in the journal."""
    ends: dict[str, float] = {}
    ready, stop = threading.Event(), threading.Event()

    async def follow() -> None:
        bus = await _connect(data)
        start = (await bus.info("EXEC"))["last"] + 1
        following = bus.follow(
            "EXEC", "exec.>", start, lambda m: _note_ends(m, ends, time.time() * 1e3)
        )
        await asyncio.sleep(QUIET_S)
        ready.set()
        await asyncio.to_thread(stop.wait)
        following.close()
        await bus.close()

    thread = threading.Thread(target=lambda: asyncio.run(follow()))
    thread.start()
    ready.wait(10)
    try:
        yield ends
    finally:
        stop.set()
        thread.join()
