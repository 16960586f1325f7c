"""If and Filter from version 2 on: a filter value decides for each item."""

from typing import Any

from penstock.nodes import conditions
from penstock.sdk.call import Call
from penstock.sdk.node import Node
from penstock.sdk.transform import refuse_error
from penstock.subjects.errors import PenstockError
from penstock.subjects.messages import Item, Outcome, Outputs
from penstock.workflow.plan import PlanNode, Transform
from penstock.workflow.scope import Scope


def _prepare(node: PlanNode) -> Any:
    # False: the filter has to be resolved as a whole, for each item.
    return conditions.prepare(node.parameters.get("conditions", {})) or False


def divide(call: Call) -> tuple[list[Item], list[Item]]:
    """The items that pass the node's `conditions`, and those that do not."""
    prepared = call.prepared(_prepare)
    passed: list[Item] = []
    failed: list[Item] = []
    scope = call.scope
    for index, item in enumerate(call.items):
        try:
            test = prepared or conditions.resolved(call.param("conditions", index, {}))
            (passed if test(scope, index) else failed).append(item)
        except PenstockError:
            if not call.continues_on_fail:
                raise
            failed.append(item)
    return passed, failed


def _transform(node: PlanNode) -> Transform | None:
    test = conditions.prepare(node.parameters.get("conditions", {}))
    if test is None:
        return None

    def divide_all(scope: Scope, items: list[Item]) -> Outputs:
        passed: list[Item] = []
        failed: list[Item] = []
        for index, item in enumerate(items):
            refuse_error(item)
            (passed if test(scope, index) else failed).append(item)
        return [passed, failed]

    return divide_all


class If(Node):
    """Items that pass go to the first output, others to the second."""

    type = "n8n-nodes-base.if"
    versions = (2, 2.1, 2.2, 2.3)

    def run(self, call: Call) -> Outcome:
        return call.items_out(*divide(call))

    def transform(self, node: PlanNode) -> Transform | None:
        return _transform(node)

    def outputs(self, parameters: dict[str, Any], version: float) -> int:
        return 2


class Filter(Node):
    """Items that pass go on. The others stand in a second output that nothing can be wired to."""

    type = "n8n-nodes-base.filter"
    versions = (2, 2.1, 2.2, 2.3)

    def run(self, call: Call) -> Outcome:
        return call.items_out(*divide(call))

    def transform(self, node: PlanNode) -> Transform | None:
        return _transform(node)
