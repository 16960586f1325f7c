"""Restart intensity: how many restarts are repair, and how many are denial.

A child that dies of a passing fault is healed by a restart. One that dies of a lasting fault
dies again at once; restarting it forever burns the machine and hides the cause. So every
supervisor carries a budget; when it is spent it stops its children, then itself, and the level
above decides.

Budgets multiply down the tree: 3 at the root over 5 below is 15 restarts of a leaf before the
process exits. Keep the root small.
"""

from collections import deque
from dataclasses import dataclass, field

from penstock.supervisor.spec import RestartIntensity


@dataclass(slots=True)
class RestartBudget:
    """Restarts spent against one intensity.

    Reads no clock: the caller passes the time, so the same object runs under the simulator and
    in production.
    """

    intensity: RestartIntensity
    _spent_at_s: deque[float] = field(default_factory=deque)

    def spend(self, now_s: float) -> bool:
        """Record a restart at `now_s`; `False` when the caller must escalate instead."""
        # The clock is monotonic; a step back would silently widen the window.
        assert not self._spent_at_s or now_s >= self._spent_at_s[-1]
        while self._spent_at_s and self._spent_at_s[0] <= now_s - self.intensity.window_s:
            self._spent_at_s.popleft()
        if len(self._spent_at_s) >= self.intensity.restarts:
            return False
        self._spent_at_s.append(now_s)
        return True
