"""Limit: the first or the last items."""

from penstock.sdk.call import Call
from penstock.sdk.node import Node
from penstock.subjects.messages import Outcome
from penstock.workflow.expressions.convert import to_integer


class Limit(Node):
    """At most `maxItems` items."""

    type = "n8n-nodes-base.limit"

    def run(self, call: Call) -> Outcome:
        items = call.items
        count = to_integer(call.param("maxItems", 0, 1))
        if count > len(items):
            return call.items_out(items)
        if call.param("keep", 0, "firstItems") == "firstItems":
            return call.items_out(items[:count])
        return call.items_out(items[max(len(items) - count, 0) :])
