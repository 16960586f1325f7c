"""Room in EXEC: a stream that fills is emptied early, and one that is full heals by itself.

What the history and a snapshot both have may go, so a stream that fills needs snapshots sooner
than the clock says. And a full one must not wait for an append to be stored, since none is: then
what the history has caught up with since the last snapshot is removed by that snapshot, also by a
host that finds no room to take a partition over (`partition.own`). Gateways take no more well
before the stream is full (`gateway.room`), so what was accepted can still be journalled.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from penstock.subjects.bus import Bus
from penstock.subjects.errors import BusError

PERIOD_S = 1.0
EARLY_PART = 0.5
"""Of the stream's limit: from here on its owners make room."""


class Owner(Protocol):
    """A live partition."""

    async def make_room(self) -> None: ...


class Room:
    """Looks at the stream, and has the owners on this host make room. `run` for ever."""

    def __init__(self, bus: Bus, owners: Callable[[], Iterable[Owner]]) -> None:
        self._bus = bus
        self._owners = owners

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await asyncio.sleep(PERIOD_S)
            try:
                exec_ = await self._bus.info("EXEC")
                if exec_["bytes"] > EARLY_PART * exec_["bytes_max"] > 0:
                    for owner in tuple(self._owners()):
                        await owner.make_room()
            except BusError:
                continue  # an outage fills nothing
