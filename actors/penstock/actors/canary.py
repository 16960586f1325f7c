"""The canary: publishes to every stream and reads back, since a stream can say that it is healthy
and still not move.

What does not come back within its time is told as a problem in the heartbeat, until it does. The
canary's messages have subjects of their own that nobody follows, and are few.
"""

import asyncio

from penstock.subjects import names
from penstock.subjects.bus import Ack, Bus
from penstock.subjects.errors import BusError

PERIOD_S = 5.0
TIMEOUT_S = 5.0


class Canary:
    """`problems` has one sentence per stream that does not move."""

    def __init__(self, bus: Bus, region: str, owner: str) -> None:
        self.problems: list[str] = []
        self._bus = bus
        region = names.token(region)
        name = names.token(owner)
        self._subjects = {
            "EXEC": f"exec.{region}.canary.{name}",
            "SNAP": f"snap.{region}.canary.{name}",
            "DONE": f"done.{region}.canary",
        }
        self._number = 0

    async def run(self) -> None:
        """Run for ever."""
        while True:
            await asyncio.sleep(PERIOD_S)
            problems = [await self._problem(stream) for stream in self._subjects]
            self.problems = [problem for problem in problems if problem]

    async def _problem(self, stream: str) -> str:
        """What is wrong with a stream, empty when it moves."""
        self._number += 1
        subject = self._subjects[stream]
        try:
            async with asyncio.timeout(TIMEOUT_S):
                sequence = await self._append(subject, b"%d" % self._number)
                last = await self._bus.last(stream, subject)
                if last is None or last.sequence < sequence:
                    return f"stream {stream} took a message and does not give it back"
                if stream == "EXEC":
                    await self._bus.purge(stream, subject, sequence)
        except TimeoutError:
            return f"stream {stream} does not move"
        except BusError as error:
            return f"stream {stream}: {error.message}"
        return ""

    async def _append(self, subject: str, payload: bytes) -> int:
        future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()

        def on_ack(result: Ack | Exception) -> None:
            if future.done():
                return
            if isinstance(result, Ack):
                future.set_result(result)
            else:
                future.set_exception(result)

        self._bus.append(subject, payload, on_ack)
        return (await future).sequence
