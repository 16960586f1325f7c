"""A turn: what one message does to one execution, collected for the caller."""

from penstock.actors.execution.effects import CoreEffect
from penstock.actors.execution.events import Event
from penstock.actors.execution.state import State
from penstock.actors.execution.steps import Patience
from penstock.actors.execution.transitions import apply


class Turn:
    """The events that happened (already applied) and the effects that follow, in order.

    `more`: there is more to run at once; call `core.advance` again, others may go between.
    """

    __slots__ = ("effects", "events", "more", "now_ms", "patience", "state")

    def __init__(self, state: State, now_ms: int) -> None:
        self.state = state
        self.now_ms = now_ms
        self.events: list[Event] = []
        self.effects: list[CoreEffect] = []
        self.more = False
        self.patience = Patience()

    def happen(self, event: Event) -> None:
        """Apply an event and keep it for the journal."""
        apply(self.state, event)
        self.events.append(event)
