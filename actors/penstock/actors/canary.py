"""The canary: publishes to every stream and reads back, since a stream can say that it is healthy
and still not move.

What does not come back within its time is told in the heartbeat, until it does: `problems` for
people, `wedged` for whoever can do something about it. A broker that is not connected is an outage
and no wedged stream. The canary's messages have subjects of their own that nobody follows, and are
few: what is older than any canary waits for is removed, whoever left it. An owner's name is never
used twice, so what a host leaves when it stops nobody else would replace.
"""

import asyncio
from typing import NamedTuple

from penstock.subjects import names
from penstock.subjects.appending import appended
from penstock.subjects.bus import Bus
from penstock.subjects.errors import BusError, StreamFullError

PERIOD_S = 2.0
TIMEOUT_S = 5.0


class Fault(NamedTuple):
    """A stream that did not do as it should. `is_wedged`: neither full nor merely out of reach."""

    stream: str
    text: str
    is_wedged: bool


class Canary:
    """`problems` has one sentence per stream that does not move, `wedged` their names."""

    def __init__(self, bus: Bus, region: str, owner: str) -> None:
        self.problems: list[str] = []
        self.wedged: list[str] = []
        self._bus = bus
        region = names.token(region)
        name = names.token(owner)
        self._subjects = {
            "EXEC": f"exec.{region}.canary.{name}",
            "SNAP": f"snap.{region}.canary.{name}",
            "STEPS": f"step.{region}.canary-{name}",
            "DONE": f"done.{region}.canary",
        }
        self._all = {"EXEC": f"exec.{region}.canary.*", "SNAP": f"snap.{region}.canary.*"}
        self._marks: dict[str, tuple[float, int]] = {}
        """When which sequence was ours, by stream."""
        self._number = 0

    async def run(self) -> None:
        """Run for ever."""
        while True:
            await asyncio.sleep(PERIOD_S)
            await self.look()

    async def look(self) -> None:
        """Try every stream once, all at the same time."""
        tried = await asyncio.gather(*(self._fault(stream) for stream in self._subjects))
        faults = [fault for fault in tried if fault is not None]
        self.problems = [fault.text for fault in faults]
        self.wedged = [fault.stream for fault in faults if fault.is_wedged]

    async def _fault(self, stream: str) -> Fault | None:
        """What is wrong with a stream, None when it moves."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                is_given_back = await self._passes(stream)
        except StreamFullError as error:
            return Fault(stream, f"stream {stream}: {error.message}", is_wedged=False)
        except TimeoutError:
            return Fault(stream, f"stream {stream} does not move", self._bus.is_connected)
        except BusError as error:
            return Fault(stream, f"stream {stream}: {error.message}", self._bus.is_connected)
        if is_given_back:
            return None
        lost = f"stream {stream} took a message and does not give it back"
        return Fault(stream, lost, is_wedged=True)

    async def _passes(self, stream: str) -> bool:
        self._number += 1
        subject = self._subjects[stream]
        sequence = (await appended(self._bus, subject, b"%d" % self._number)).sequence
        last = await self._bus.last(stream, subject)
        if last is None or last.sequence < sequence:
            return False
        if stream in self._all:
            await self._clear(stream, sequence)
        elif stream == "STEPS":
            # Work that nobody takes would look like a backlog.
            await self._bus.purge(stream, subject)
        return True

    async def _clear(self, stream: str, sequence: int) -> None:
        """Remove what any canary has read back by now, or given up."""
        now_s = asyncio.get_running_loop().time()
        at_s, before = self._marks.setdefault(stream, (now_s, sequence))
        if now_s - at_s <= TIMEOUT_S:
            return
        self._marks[stream] = now_s, sequence
        if before > 1:  # to a broker, below the first means everything
            await self._bus.purge(stream, self._all[stream], before)
