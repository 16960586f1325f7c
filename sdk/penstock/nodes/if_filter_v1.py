"""If and Filter in version 1: conditions by kind, all of them or any."""

from typing import Any

from penstock.nodes.classic_conditions import KINDS, condition_passes
from penstock.sdk.call import Call
from penstock.sdk.node import Node
from penstock.sdk.parameters import entries, settle_deep
from penstock.subjects.messages import Item, Outcome


def _divide(call: Call, *, combine: str, any_word: str) -> tuple[list[Item], list[Item]]:
    passed: list[Item] = []
    failed: list[Item] = []
    for index, item in enumerate(call.items):
        is_any = call.param(combine, index, "") == any_word
        conditions = settle_deep(call.param("conditions", index, {}))
        (passed if _passes(conditions, is_any=is_any) else failed).append(item)
    return passed, failed


def _passes(conditions: Any, *, is_any: bool) -> bool:
    """Whether all conditions hold, or any; none at all hold only together."""
    for kind in KINDS:
        for condition in entries(conditions, kind):
            if condition_passes(kind, condition) is is_any:
                return is_any
    return not is_any


class IfV1(Node):
    """Items that pass go to the first output, others to the second."""

    type = "n8n-nodes-base.if"
    versions = (1,)

    def run(self, call: Call) -> Outcome:
        return call.items_out(*_divide(call, combine="combineOperation", any_word="any"))

    def outputs(self, parameters: dict[str, Any], version: float) -> int:
        return 2


class FilterV1(Node):
    """Items that pass go on. The others stand in a second output that nothing can be wired to."""

    type = "n8n-nodes-base.filter"
    versions = (1,)

    def run(self, call: Call) -> Outcome:
        return call.items_out(*_divide(call, combine="combineConditions", any_word="OR"))
