"""The mailbox of a partition: what waits to be handled, and whose turn it is.

Tenants take turns by deficit round robin, so that the burst of one does not starve another. Work
under way (results, timers) goes before new work of the same tenant: what has started gets
finished, and memory stays small. An execution that goes on and on by itself takes turns with new
work, or a single endless one would keep its tenant from starting any other. Order within a lane is
arrival order, which is what keeps the messages of one execution in order.

No queue per actor: an envelope is a message and where it came from.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec

QUANTUM = 64
"""Transitions that a tenant may do per turn while others wait."""


class Input:
    """One message of the partition's inputs, until everything in it is dealt with.

    `is_stored`: it stands in EXEC at `sequence`; else a gateway sent it under that number.
    """

    __slots__ = ("bytes", "is_stored", "left", "sequence", "taken")

    def __init__(self, sequence: int, left: int, size: int = 0, *, is_stored: bool = True) -> None:
        self.sequence = sequence
        self.left = left
        self.bytes = size
        self.is_stored = is_stored
        self.taken: list[str] = []
        """Executions of it that are started or held, for whoever must not start them again."""


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """A message for an actor; `origin` when it came from the partition's inputs."""

    message: Any
    origin: Input | None = None


class _Lanes:
    __slots__ = ("deficit", "going_on", "is_new_next", "new", "under_way")

    def __init__(self) -> None:
        self.deficit = 0
        self.under_way: deque[Envelope] = deque()
        self.going_on: deque[Envelope] = deque()
        self.new: deque[Envelope] = deque()
        self.is_new_next = False

    def __len__(self) -> int:
        return len(self.under_way) + len(self.going_on) + len(self.new)

    def next(self) -> Envelope | None:
        """The one whose turn it is, taken out."""
        if self.under_way:
            return self.under_way.popleft()
        if self.going_on and not (self.new and self.is_new_next):
            self.is_new_next = True
            return self.going_on.popleft()
        self.is_new_next = False
        return self.new.popleft() if self.new else None


class Mailbox:
    """See the module's text."""

    def __init__(self, quantum: int = QUANTUM) -> None:
        self._quantum = quantum
        self._lanes: dict[str, _Lanes] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, tenant: str, envelope: Envelope) -> None:
        """New work of `tenant`."""
        self._of(tenant).new.append(envelope)
        self._size += 1

    def put_under_way(self, tenant: str, envelope: Envelope) -> None:
        """Something that work under way waits for."""
        self._of(tenant).under_way.append(envelope)
        self._size += 1

    def put_going_on(self, tenant: str, envelope: Envelope) -> None:
        """An execution goes on after a slice of work that it does by itself."""
        self._of(tenant).going_on.append(envelope)
        self._size += 1

    def take(self) -> Iterator[Envelope]:
        """Envelopes in the order of their turns, until the caller stops or nothing is left.

        The caller reports what each cost beyond one transition with `charge`.
        """
        while self._size:
            tenant, lanes = next(iter(self._lanes.items()))
            if len(self._lanes) == 1:
                lanes.deficit = self._size  # nobody waits: no need to take turns
            elif lanes.deficit <= 0:
                lanes.deficit += self._quantum
            else:
                lanes.deficit = min(lanes.deficit, self._quantum)
            yield from self._turn(lanes)
            if self._lanes.get(tenant) is lanes:
                del self._lanes[tenant]
                if len(lanes):
                    self._lanes[tenant] = lanes  # to the end of the round

    def charge(self, tenant: str, cost: int) -> None:
        """`tenant` used `cost` transitions more than one."""
        lanes = self._lanes.get(tenant)
        if lanes is not None:
            lanes.deficit -= cost

    def _turn(self, lanes: _Lanes) -> Iterator[Envelope]:
        while lanes.deficit > 0:
            envelope = lanes.next()
            if envelope is None:
                return
            lanes.deficit -= 1
            self._size -= 1
            yield envelope

    def _of(self, tenant: str) -> _Lanes:
        lanes = self._lanes.get(tenant)
        if lanes is None:
            lanes = self._lanes[tenant] = _Lanes()
        return lanes
