"""How far the followers of EXEC have got, as they report it in the `marks` bucket.

Key `history.<region>.<partition>`, value a decimal sequence: history holds everything before and
at it, and needs no input or record at or below it any more. No mark means that nothing may go.

Key `projected.<region>`: some history has begun with the EXEC of this broker.
"""

import asyncio
import logging

from penstock.subjects.bus import Bus
from penstock.subjects.errors import BusError

RETRY_S = 1.0

log = logging.getLogger("penstock.actors")


def mark_key(region: str, partition: int) -> str:
    """The key of a partition's mark."""
    return f"{mark_prefix(region)}{partition}"


def mark_prefix(region: str) -> str:
    """What the keys of a region's marks begin with."""
    return f"history.{region}."


def begun_key(region: str) -> str:
    """The key that tells that a history of the region has begun."""
    return f"projected.{region}"


class Marks:
    """A watch of the marks of one region."""

    def __init__(self, bus: Bus, region: str) -> None:
        self._bus = bus
        self._region = region
        self._marks: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.ensure_future(self._watch())

    def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()

    def history(self, partition: int) -> int | None:
        """Up to where the history has a partition; None when none has reported."""
        return self._marks.get(mark_key(self._region, partition))

    async def _watch(self) -> None:
        while True:
            try:
                async for entry in self._bus.bucket("marks").watch():
                    if entry is not None and entry.value is not None:
                        self._take(entry.key, entry.value)
                    elif entry is not None:
                        self._marks.pop(entry.key, None)
            except BusError as error:
                log.warning("the watch of the marks broke: %s", error)
            await asyncio.sleep(RETRY_S)

    def _take(self, key: str, value: bytes) -> None:
        try:
            self._marks[key] = int(value)
        except ValueError:
            log.error("the mark %s is no sequence: %r", key, value[:40])
