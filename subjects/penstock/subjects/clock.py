"""Time as a port: the core reads no clock, its shell passes the time in.

`Clock` is what shells are given. The simulator gives a virtual one, whose wall time can jump.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for people and timers, monotonic time for leases and deadlines."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch; may jump."""

    def monotonic_s(self) -> float:
        """Seconds on a clock that never goes back."""


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()
