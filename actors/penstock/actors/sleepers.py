"""Which executions to put away: those in long waits at once, others when they still wait later.

Whoever brings a sleeping execution into memory tells it here, or it stays there until it is woken:
the turn that it fell asleep in, one that changed nothing about that, and a takeover.
"""

import asyncio
from collections import deque

from penstock.actors.snapshotting import Snapshotting
from penstock.actors.table import Table

LONG_WAIT_MS = 60_000
PASSIVATE_AFTER_S = 5.0


class Sleepers:
    """The executions of one partition that sleep in memory."""

    def __init__(self, table: Table, snapshotting: Snapshotting) -> None:
        self._table = table
        self._snapshotting = snapshotting
        self._slept: deque[tuple[float, str]] = deque()

    def fell_asleep(self, executions: list[str], now_ms: int) -> None:
        """Memory equals the journal now, and these may wait for a time or a call."""
        later_s = asyncio.get_running_loop().time() + PASSIVATE_AFTER_S
        for execution in executions:
            state = self._table.active.get(execution)
            if state is None or state.sleep is None:
                continue
            if state.sleep.until_ms - now_ms > LONG_WAIT_MS:
                self._passivate(execution)
            else:
                self._slept.append((later_s, execution))

    def tick(self, now_s: float) -> None:
        """Memory equals the journal now: put away who still sleeps."""
        while self._slept and self._slept[0][0] <= now_s:
            _, execution = self._slept.popleft()
            state = self._table.active.get(execution)
            if state is not None and state.waiting in ("timer", "signal"):
                self._passivate(execution)

    def _passivate(self, execution: str) -> None:
        self._snapshotting.before_change(execution)
        self._table.passivate(execution)
