"""Webhook: an HTTP request starts the workflow.

The gateway answers the request's path and makes the item (headers, params, query, body); here is
only what the engine must know: one output per method when there are several, and that the item
goes out through the first. The gateway's `output` of the run request moves it to another.
"""

from typing import Any

from penstock.sdk.call import Call
from penstock.sdk.node import Node
from penstock.sdk.transform import pass_on
from penstock.subjects.messages import Outcome
from penstock.workflow.plan import PlanNode, Transform

_METHODS = ("GET", "POST")


class Webhook(Node):
    """See the module's text."""

    type = "n8n-nodes-base.webhook"
    versions = (1, 1.1, 2, 2.1)
    is_trigger = True

    def run(self, call: Call) -> Outcome:
        return call.items_out(call.items)

    def transform(self, node: PlanNode) -> Transform:
        return pass_on

    def outputs(self, parameters: dict[str, Any], version: float) -> int:
        if parameters.get("multipleMethods") is not True:
            return 1
        methods = parameters.get("httpMethod", _METHODS)
        return len(methods) if isinstance(methods, list | tuple) and methods else 1
