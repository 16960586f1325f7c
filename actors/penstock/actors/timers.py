"""Timers: when to wake which execution.

An in-memory heap beside the journal: what is set is known from the executions' states, so a new
owner sets the same timers again. Wall-clock time, since a wait until nine o'clock means the
clock on the wall; the owner looks at least once a second, so a jump of the clock is noticed.

Setting a timer of the same execution and kind replaces it. Replaced and cancelled ones stay in
the heap as void entries until they come up or outnumber the others.
"""

import heapq
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from penstock.actors.execution.effects import TimerKind


class TimerDue(NamedTuple):
    """A timer of an execution has fired. The core compares `token`: newer state voids it."""

    execution: str
    kind: TimerKind
    token: int


_VOID_MAX = 1_000

_Set = tuple[int, TimerKind, int]


class Timers:
    """See the module's text."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, str, TimerKind, int]] = []
        self._set: dict[str, tuple[_Set, ...]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def next_ms(self) -> int | None:
        """When to look again; it may be a void entry's time."""
        return self._heap[0][0] if self._heap else None

    def set(self, execution: str, at_ms: int, kind: TimerKind, token: int) -> None:
        """Wake `execution` at `at_ms`."""
        timer = (at_ms, kind, token)
        others = self._set.get(execution)
        if others is None:
            self._set[execution] = (timer,)
            self._count += 1
        else:
            kept = tuple(other for other in others if other[1] != kind)
            self._set[execution] = (*kept, timer)
            self._count += 1 + len(kept) - len(others)
        heapq.heappush(self._heap, (at_ms, execution, kind, token))
        if len(self._heap) > 2 * self._count + _VOID_MAX:
            self._compact()

    def load(self, timers: Iterable[tuple[str, Iterable[_Set]]]) -> None:
        """Set the timers of many executions that have none yet; much quicker than one by one."""
        for execution, wanted in timers:
            own = self._set[execution] = tuple(wanted)
            self._count += len(own)
            self._heap.extend((at_ms, execution, kind, token) for at_ms, kind, token in own)
        heapq.heapify(self._heap)

    def of(self, execution: str) -> tuple[_Set, ...]:
        """The timers of an execution as (at_ms, kind, token)."""
        return self._set.get(execution, ())

    def cancel(self, execution: str) -> None:
        """Forget all timers of `execution`."""
        self._count -= len(self._set.pop(execution, ()))

    def due(self, now_ms: int) -> Iterator[TimerDue]:
        """Take out what is due at `now_ms`, earliest first."""
        heap = self._heap
        while heap and heap[0][0] <= now_ms:
            at_ms, execution, kind, token = heapq.heappop(heap)
            timers = self._set.get(execution, ())
            if (at_ms, kind, token) not in timers:
                continue
            rest = tuple(timer for timer in timers if timer != (at_ms, kind, token))
            self._count -= 1
            if rest:
                self._set[execution] = rest
            else:
                del self._set[execution]
            yield TimerDue(execution, kind, token)

    def _compact(self) -> None:
        self._heap = [
            (at_ms, execution, kind, token)
            for execution, timers in self._set.items()
            for at_ms, kind, token in timers
        ]
        heapq.heapify(self._heap)
