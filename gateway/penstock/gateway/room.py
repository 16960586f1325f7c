"""Room for run requests: callers are refused while there is still room for what they began.

EXEC holds the requests and the journal of what becomes of them. If requests could fill it, no
owner could write down another step, nothing would end, and nothing could be removed. So requests
have a part of the stream, the rest is the journal's. The figure is asked for now and then, and
between two answers whatever this gateway sends is counted against it.

A disk that others fill is the worse case: the broker then acknowledges nothing, and says nothing
either. So the disk is looked at too, where the broker's stands on this machine.
"""

import asyncio
from contextlib import suppress
from pathlib import Path

from penstock.gateway.problems import ProblemError
from penstock.subjects.bus import Bus
from penstock.subjects.disks import is_full
from penstock.subjects.errors import BusError

PERIOD_S = 0.5
DISK_FULL, DISK_FULL_RETRY_S = "the broker's disk is full", 30
INTAKE_PART = 0.75
"""Of the stream's limit: what is beyond belongs to the journal."""


class Room:
    """How many bytes of run requests the stream still takes; any number until it is known."""

    def __init__(self, bus: Bus) -> None:
        self.is_disk_full = False
        self._bus = bus
        self._left: float | None = None

    def takes(self, size: int) -> bool:
        """Whether a request of `size` bytes may be sent; it counts as sent."""
        if self._left is None:
            return True
        if self._left < size:
            return False
        self._left -= size
        return True

    def check_disk(self) -> None:
        """A 507 for whatever is to be stored while the broker could not, and would not say so."""
        if self.is_disk_full:
            raise ProblemError(507, DISK_FULL, retry_after_s=DISK_FULL_RETRY_S)

    async def watch(self, store: Path | None = None) -> None:
        """Run for ever: know how full the stream is, and the disk of `store`, which is where the
        broker's streams stand if that is on this machine."""
        while True:
            self.is_disk_full = store is not None and is_full(store, was_full=self.is_disk_full)
            with suppress(BusError):
                exec_ = await self._bus.info("EXEC")
                limit = exec_["bytes_max"]
                self._left = INTAKE_PART * limit - exec_["bytes"] if limit > 0 else None
            await asyncio.sleep(PERIOD_S)
