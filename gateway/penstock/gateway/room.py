"""Room for run requests: callers are refused while there is still room for what they began.

EXEC holds the requests and the journal of what becomes of them. If requests could fill it, no
owner could write down another step, nothing would end, and nothing could be removed. So requests
have a part of the stream, the rest is the journal's. The figure is asked for now and then, and
between two answers whatever this gateway sends is counted against it.
"""

import asyncio
from contextlib import suppress

from penstock.subjects.bus import Bus
from penstock.subjects.errors import BusError

PERIOD_S = 0.5
INTAKE_PART = 0.75
"""Of the stream's limit: what is beyond belongs to the journal."""


class Room:
    """How many bytes of run requests the stream still takes; any number until it is known."""

    def __init__(self, bus: Bus) -> None:
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

    async def watch(self) -> None:
        """Run for ever: know how full the stream is."""
        while True:
            with suppress(BusError):
                exec_ = await self._bus.info("EXEC")
                limit = exec_["bytes_max"]
                self._left = INTAKE_PART * limit - exec_["bytes"] if limit > 0 else None
            await asyncio.sleep(PERIOD_S)
