"""Where a record that is too large for one message may be cut in two.

A crash can come between the parts, and what it leaves must be something that a new owner goes on
from. Most of it is: a child that was called and not started is called again. But an ending does
not happen twice, so what follows from it (the parent's turn, the error workflow, static data, the
answer) must stand in the same record, and so must a schedule's firing and what it started.
"""

from collections.abc import Sequence

from penstock.actors.execution.events import Finished
from penstock.actors.journal import Answered, Entry, Fired, Happened, Held, Saved
from penstock.subjects.ids import root_of


def cut(entries: Sequence[Entry]) -> int:
    """The index at which to part `entries`, two or more: the place nearest to the middle at which
    no cause is parted from what follows from it; the middle where there is none."""
    lasts = {_family(entry): index for index, entry in enumerate(entries)}
    middle = len(entries) // 2
    places = []
    tied_up_to = 0
    for index, entry in enumerate(entries):
        if index > tied_up_to and not isinstance(entry, Answered | Saved):
            places.append(index)
        if _is_cause(entry):
            tied_up_to = max(tied_up_to, lasts[_family(entry)])
    return min(places, key=lambda place: abs(place - middle), default=middle)


def _is_cause(entry: Entry) -> bool:
    if isinstance(entry, Happened):
        return isinstance(entry.events[-1], Finished)
    return isinstance(entry, Fired)


def _family(entry: Entry) -> str:
    """The family of executions that an entry is about; empty for none."""
    if isinstance(entry, Happened | Held | Answered | Fired):
        return root_of(entry.execution)
    return ""
