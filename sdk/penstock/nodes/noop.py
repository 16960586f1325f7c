"""No Operation: items go through as they came."""

from penstock.sdk.call import Call
from penstock.sdk.node import Node
from penstock.subjects.messages import Outcome


class NoOp(Node):
    """Does nothing; a place to join or end branches."""

    type = "n8n-nodes-base.noOp"

    def run(self, call: Call) -> Outcome:
        return call.items_out(call.items)


class StickyNote(Node):
    """A note on the canvas. It has no connections, so nothing ever runs it."""

    type = "n8n-nodes-base.stickyNote"

    def run(self, call: Call) -> Outcome:
        return call.items_out(call.items)
