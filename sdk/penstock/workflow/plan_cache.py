"""Plans that were compiled lately. The compiler is loaded with the first: until then 6 MB less."""

from collections import OrderedDict
from typing import Any

from penstock.subjects.config import DEFAULT_TIMEZONE
from penstock.workflow.document import content_hash
from penstock.workflow.plan import NodeTypes, Plan

NODES_MAX = 6_000


class PlanCache:
    """Compiled plans by content hash, the least recently used forgotten first, so that no more
    than `nodes_max` nodes are held: a node takes about 6 KB, a workflow has five or five hundred.

    `timezone` is the instance's, for documents that set none.
    """

    def __init__(
        self, types: NodeTypes, nodes_max: int = NODES_MAX, *, timezone: str = DEFAULT_TIMEZONE
    ) -> None:
        self._types = types
        self._timezone = timezone
        self._nodes_max = nodes_max
        self._nodes = 0
        self._plans: OrderedDict[str, Plan] = OrderedDict()

    def get(self, key: str) -> Plan | None:
        """The plan with this hash, if it was compiled here lately."""
        plan = self._plans.get(key)
        if plan is not None:
            self._plans.move_to_end(key)
        return plan

    def add(self, document: dict[str, Any], key: str = "") -> Plan:
        """Compile `document`, unless its plan is here, and remember it."""
        key = key or content_hash(document)
        plan = self.get(key)
        if plan is None:
            from penstock.workflow.compile import compile_document

            plan = compile_document(document, self._types, key=key, timezone=self._timezone)
            self._plans[key] = plan
            self._nodes += len(plan.nodes)
            while self._nodes > self._nodes_max and len(self._plans) > 1:
                _, forgotten = self._plans.popitem(last=False)
                self._nodes -= len(forgotten.nodes)
        return plan
