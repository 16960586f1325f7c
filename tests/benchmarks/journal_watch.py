"""The end of executions as the journal tells it: the one truth that the figures rest on.

`finished` asks the owners how many ends they have stored, which costs nothing while a load runs;
`watch_ends` follows the journal live, for the latency at a low rate.
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
from penstock.subjects import names
from penstock.subjects.bus import Message
from penstock.subjects.bus_nats import NatsBus

QUIET_S = 0.3


def _note_ends(message: Message, ends: dict[str, float], at_ms: float) -> None:
    if not is_journal(message.subject):
        return
    record = RECORDS.decode(message.payload)
    for entry in record.entries:
        if isinstance(entry, Happened) and any(isinstance(e, Finished) for e in entry.events):
            ends[entry.execution] = at_ms


async def connect(data: Path, role: str) -> NatsBus:
    """A connection to a stack's broker with the rights of a role."""
    secret = json.loads((data / "secrets.json").read_text())[f"nats-{role}"]
    url = (data / "run/nats-url").read_text().strip()
    return await NatsBus.connect(url, user=role, password=secret, name="bench", wait_s=10)


def finished(data: Path) -> int:
    """Executions whose end the owners have put into the journal since they took over."""

    async def ask() -> int:
        bus = await connect(data, "gateway")
        try:
            answers = [
                await bus.request(names.ask("local", partition, "stats"), b"", 5.0)
                for partition in range(int((data / "partitions").read_text()))
            ]
        finally:
            await bus.close()
        return sum(json.loads(answer)["finished"] for answer in answers)

    return asyncio.run(ask())


@contextmanager
def watch_ends(data: Path) -> Iterator[dict[str, float]]:
    """A dictionary that fills with the time (ms) at which each end was seen in the journal."""
    ends: dict[str, float] = {}
    ready, stop = threading.Event(), threading.Event()

    async def follow() -> None:
        bus = await connect(data, "projector")
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
