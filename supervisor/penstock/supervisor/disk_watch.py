"""The disk under a server: when it was full and has room again, the server is restarted.

nats-server keeps the first error of a write until it is restarted, and acknowledges nothing until
then. Postgres panics when its log finds no room, and repairs itself; but if that finds no room
either it may stand still with its repair half done. While there is no room a restart would only
make it worse. Whether a server was hurt cannot be seen from here, and finding out would cost `up` a
connection to it for ever. A restart in vain costs a second, after a time in which it was of no use.

All brokers of one machine stand on one disk, so all of them are restarted, at once. Until they are
ready the disk is looked at all the same: one that fills again meanwhile hurts them again, and then
they are restarted again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from penstock.subjects import logs
from penstock.subjects.disks import is_full
from penstock.subjects.errors import PenstockError

PERIOD_S = 0.5
RESTART_S = 60.0


async def watch_disk(
    store: Path, restart: Callable[[], Awaitable[None]], told: Callable[[str], None]
) -> None:
    """Run for ever. `restart` restarts whatever stands on the disk of `store` and returns when that
    is ready; it may be cancelled while it waits for it. `told` takes log lines."""
    was_full = False
    curing: asyncio.Task[None] | None = None
    try:
        while True:
            await asyncio.sleep(PERIOD_S)
            now_full = is_full(store, was_full=was_full)
            if now_full and not was_full:
                told(logs.line("up", "disk full", level="error", path=str(store)))
                await _end(curing)
            elif was_full and not now_full:
                told(logs.line("up", "cure", kind="restart", why=f"the disk of {store} was full"))
                curing = asyncio.create_task(_cure(restart, told))
            was_full = now_full
    finally:
        await _end(curing)


async def _cure(restart: Callable[[], Awaitable[None]], told: Callable[[str], None]) -> None:
    try:
        async with asyncio.timeout(RESTART_S):
            await restart()
    except (PenstockError, TimeoutError) as error:
        why = str(error) or "not ready in time"
        told(logs.line("up", "cure failed", level="error", kind="restart", error=why))


async def _end(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait({task})
