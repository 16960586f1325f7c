"""Questions about executions to the owners of their partitions.

An owner that does not answer is dying, starting or moving; a takeover takes about a second, so
questions are asked again for a while before "nobody knows" becomes the answer.
"""

import asyncio

from penstock.gateway.problems import ProblemError
from penstock.subjects import asks, names
from penstock.subjects.bus import Bus
from penstock.subjects.errors import BusError
from penstock.subjects.ids import partition_of, root_of

TRIES = 5
TRY_S = 1.0
PAUSE_S = 0.2


class Owners:
    """Asks partition owners."""

    def __init__(self, bus: Bus, *, region: str, partitions: int) -> None:
        self._bus = bus
        self._region = region
        self._partitions = partitions

    def partition(self, execution: str) -> int:
        """The partition in which `execution` lives."""
        return partition_of(root_of(execution), self._partitions)

    async def state(self, execution: str) -> asks.StateAnswer:
        """The execution as its owner sees it. 503 when no owner answers."""
        subject = names.ask(self._region, self.partition(execution), "state")
        question = asks.ask_state.encode(asks.AskState(execution))
        for attempt in range(TRIES):
            try:
                return asks.state_answer.decode(
                    await self._bus.request(subject, question, timeout_s=TRY_S)
                )
            except BusError:
                if attempt + 1 < TRIES:
                    await asyncio.sleep(PAUSE_S)
        raise ProblemError(
            503, "no actor host owns this execution's partition now", retry_after_s=2
        )
