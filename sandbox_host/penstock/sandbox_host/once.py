"""Once: a step that a host is given again is not run again, but answered again.

A broker that begins anew, or that was out of reach for longer than it waits for an
acknowledgement, gives out steps that this host still runs or has just answered. User code that
sends mail would send it twice. So a host knows a step by its idempotency key (execution, number,
attempt): while it runs, whoever brings it again waits for the same result; once its result is
stored, that is kept for a while.

What is kept is bounded by count and by bytes, the oldest goes first. It does not know what other
hosts run: a step of a host that died, or that a second host is given, does run again.
"""

import asyncio
from collections.abc import Awaitable, Callable

from penstock.subjects.messages import Step, StepResult

RESULTS_MAX = 1000
BYTES_MAX = 16 << 20

_Key = tuple[str, int, int]


class Once:
    """Runs steps by `run`. All calls belong to one event loop."""

    def __init__(
        self,
        run: Callable[[Step], Awaitable[StepResult]],
        *,
        results_max: int = RESULTS_MAX,
        bytes_max: int = BYTES_MAX,
    ) -> None:
        self._run = run
        self._results_max = results_max
        self._bytes_max = bytes_max
        self._running: dict[_Key, asyncio.Future[StepResult]] = {}
        self._answered: dict[_Key, tuple[StepResult, int]] = {}
        self._bytes = 0

    async def run(self, step: Step) -> StepResult:
        """The result of `step`, from the one time that it runs here."""
        key = (step.execution, step.seq, step.attempt)
        kept = self._answered.get(key)
        if kept is not None:
            return kept[0]
        running = self._running.get(key)
        if running is not None:
            # Shielded: a cancelled second waiter must not take the first one's result away.
            return await asyncio.shield(running)
        running = self._running[key] = asyncio.get_running_loop().create_future()
        try:
            result = await self._run(step)
        except BaseException:
            del self._running[key]
            running.cancel()
            raise
        running.set_result(result)
        return result

    def stored(self, result: StepResult, payload_bytes: int) -> None:
        """`result` is with the broker; from now on it may be forgotten when others need room."""
        key = (result.execution, result.seq, result.attempt)
        self._running.pop(key, None)
        if key in self._answered or payload_bytes > self._bytes_max:
            return
        self._answered[key] = (result, payload_bytes)
        self._bytes += payload_bytes
        while self._bytes > self._bytes_max or len(self._answered) > self._results_max:
            _, forgotten_bytes = self._answered.pop(next(iter(self._answered)))
            self._bytes -= forgotten_bytes
