"""Waiting for a dependency: the opposite of crashing on it.

When a broker or a database is away, ending and being restarted spends a restart budget on a
fault that no restart can heal. `wait_for` asks again, ever less often, until the dependency
answers; only a caller's own deadline or its cancellation ends the waiting. So a program that is
told to stop meanwhile has to be told so itself: `unless`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from penstock.subjects.disks import is_full
from penstock.subjects.errors import PenstockError

T = TypeVar("T")

_EXPECTED = (OSError, TimeoutError, PenstockError)


def pauses_s(first_s: float = 0.01, most_s: float = 1.0) -> Iterator[float]:
    """Pauses between questions: doubling from `first_s` to `most_s`, then staying there."""
    pause_s = first_s
    while True:
        yield pause_s
        pause_s = min(pause_s * 2, most_s)


async def wait_for(
    answers: Callable[[], Awaitable[bool]],
    *,
    pauses: Iterator[float] | None = None,
    on_outage: Callable[[str], None] = lambda reason: None,
    expected: tuple[type[Exception], ...] = _EXPECTED,
) -> None:
    """Return when `answers()` is true; `False` and `expected` exceptions mean: not yet.

    `on_outage` hears each new reason once, so that a log shows an outage as one line.
    """
    told = ""
    for pause_s in pauses or pauses_s():
        try:
            if await answers():
                return
            reason = "it does not answer yet"
        except expected as error:
            reason = f"{type(error).__name__}: {error}"
        if reason != told:
            on_outage(reason)
            told = reason
        await asyncio.sleep(pause_s)


async def unless(stopped: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` comes to, or `None` when `stopped` is set before: then it is cancelled."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stopped.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        stopping.cancel()
        if working.cancel():
            await asyncio.wait((working,))


async def wait_for_room(directory: Path, told: Callable[[str], None]) -> None:
    """Return when the disk of `directory` has room: a server without any ends as it starts."""

    async def has_some() -> bool:
        if is_full(directory):
            raise PenstockError(f"the disk of {directory} is full")
        return True

    await wait_for(has_some, pauses=pauses_s(0.1, 0.5), on_outage=told)
