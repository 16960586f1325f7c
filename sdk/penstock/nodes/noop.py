"""No Operation: items go through as they came."""

from penstock.sdk.call import Call
from penstock.sdk.node import Node
from penstock.sdk.transform import pass_on
from penstock.subjects.messages import Outcome
from penstock.workflow.plan import PlanNode, Transform


class NoOp(Node):
    """Does nothing; a place to join or end branches."""

    type = "n8n-nodes-base.noOp"

    def run(self, call: Call) -> Outcome:
        return call.items_out(call.items)

    def transform(self, node: PlanNode) -> Transform:
        return pass_on


class StickyNote(Node):
    """A note on the canvas. It has no connections, so nothing ever runs it."""

    type = "n8n-nodes-base.stickyNote"

    def run(self, call: Call) -> Outcome:
        return call.items_out(call.items)
