"""What leaves the house: nothing may be done before the decision to do it is in the journal."""

from penstock.actors.dispatch import STEPS
from penstock.actors.replies import REPLIES
from penstock.subjects.bus import Message
from penstock.subjects.memory_broker import MemoryBroker, MemoryStream, Stored
from tests.simulation.ledger import Ledger


class Wire:
    """Watches steps, replies and dead letters; what is wrong goes to the ledger's problems."""

    def __init__(self, broker: MemoryBroker, ledger: Ledger) -> None:
        self._ledger = ledger
        broker.stream("DEAD").listeners.append(self._on_dead)
        broker.subscribe("reply.*", "", self._on_replies)

    def watch(self, steps: MemoryStream) -> None:
        """Look at what is appended to STEPS, which begins anew with its broker."""
        steps.listeners.append(self._on_steps)

    def _on_steps(self, stored: Stored) -> None:
        for step in STEPS.decode(stored.message.payload):
            history = self._ledger.histories.get(step.execution)
            at = (history.state.seq, history.state.attempt) if history is not None else (-1, 0)
            if (step.seq, step.attempt) > at:
                what = f"step {step.seq}, try {step.attempt}"
                self._ledger.problems.append(f"{step.execution}: {what} was sent before it is so")

    def _on_replies(self, message: Message) -> None:
        for reply in REPLIES.decode(message.payload):
            if reply.execution not in self._ledger.answered:
                self._ledger.problems.append(f"{reply.execution} was answered before it is so")

    def _on_dead(self, stored: Stored) -> None:
        self._ledger.problems.append(f"a message was set aside: {stored.message.subject}")
