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


class TooLargeError(Exception):
    """What happened to `execution` is more than any record can carry."""

    def __init__(self, entry: Entry) -> None:
        assert isinstance(entry, Happened | Held | Answered), "no other entry holds users' data"
        self.execution = entry.execution
        super().__init__(f"what happened to {entry.execution} is more than a record holds")


def parted(entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """`entries` in two parts, those of an execution only where nothing else can be parted well;
    `TooLargeError` for a single event, which cannot be."""
    at = _place(entries)
    if at is None:
        entries = _loosened(entries)
        at = _place(entries) or len(entries) // 2
    if not at:
        raise TooLargeError(entries[0])
    return list(entries[:at]), list(entries[at:])


def _place(entries: Sequence[Entry]) -> int | None:
    """The index nearest to the middle at which no cause is parted from what follows from it."""
    lasts = {_family(entry): index for index, entry in enumerate(entries)}
    middle = len(entries) // 2
    places = []
    tied_up_to = 0
    for index, entry in enumerate(entries):
        if index > tied_up_to and not isinstance(entry, Answered | Saved):
            places.append(index)
        if _is_cause(entry):
            tied_up_to = max(tied_up_to, lasts[_family(entry)])
    return min(places, key=lambda place: abs(place - middle), default=None)


def _loosened(entries: Sequence[Entry]) -> list[Entry]:
    """The same with each event as an entry of its own, since an execution goes on from any of
    them. An answer stands behind the event that gave it."""
    answers: dict[str, list[Answered]] = {}
    for entry in entries:
        if isinstance(entry, Answered):
            answers.setdefault(entry.execution, []).append(entry)
    loose: list[Entry] = []
    for entry in entries:
        if isinstance(entry, Happened):
            theirs = answers.get(entry.execution, [])
            for event in entry.events:
                loose.append(Happened(entry.execution, [event]))
                if theirs and getattr(event, "is_answered", False):
                    loose.append(theirs.pop(0))
        elif not isinstance(entry, Answered):
            loose.append(entry)
        elif any(left is entry for left in answers[entry.execution]):
            answers[entry.execution].remove(entry)
            loose.append(entry)
    return loose


def _is_cause(entry: Entry) -> bool:
    if isinstance(entry, Happened):
        return isinstance(entry.events[-1], Finished)
    return isinstance(entry, Fired)


def _family(entry: Entry) -> str:
    """The family of executions that an entry is about; empty for none."""
    if isinstance(entry, Happened | Held | Answered | Fired):
        return root_of(entry.execution)
    return ""
