"""Triggers that do nothing themselves: something outside starts the workflow with items.

The engine puts the items of the run request out of a trigger without asking it; these classes say
that the types exist, are triggers, and let what they are given through.
"""

from penstock.sdk.call import Call
from penstock.sdk.node import Node
from penstock.sdk.transform import pass_on
from penstock.subjects.messages import Outcome
from penstock.workflow.plan import PlanNode, Transform


class _PassingTrigger(Node):
    is_trigger = True

    def run(self, call: Call) -> Outcome:
        return call.items_out(call.items)

    def transform(self, node: PlanNode) -> Transform:
        return pass_on


class ManualTrigger(_PassingTrigger):
    """A person starts the workflow."""

    type = "n8n-nodes-base.manualTrigger"


class Start(_PassingTrigger):
    """Where old workflows began."""

    type = "n8n-nodes-base.start"


class ErrorTrigger(_PassingTrigger):
    """The failure of an execution starts the workflow, with an item that tells of it."""

    type = "n8n-nodes-base.errorTrigger"
