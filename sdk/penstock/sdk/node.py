"""A node: one small class that turns items into items.

    class NoOp(Node):
        type = "n8n-nodes-base.noOp"
        versions = (1,)

        def run(self, call: Call) -> Outcome:
            return call.items_out(call.items)

A node holds no state between runs: one instance serves every run of its type. What must outlive
a run (a loop's position) goes to `call.context`. A node fails by raising `NodeError`; what that
means for the flow is the engine's business, except that a node handling items one by one should
ask `call.continues_on_fail` and put `call.error_item(...)` in the place of a failed item.

Tiers: `inline` nodes are pure (no clock but `call.now_ms`, no I/O) and run inside the partition
loop; `trusted` nodes are `async def run` on a sandbox host's loop; `process` nodes run user code.
"""

from collections.abc import Awaitable
from typing import Any, ClassVar, Literal

from penstock.sdk.call import Call
from penstock.subjects.messages import Effect, Outcome
from penstock.workflow.plan import PlanNode, Tier, Transform

EffectType = type[Effect]


class Node:
    """Base of every node type."""

    type: ClassVar[str]
    versions: ClassVar[tuple[float, ...]] = (1,)
    tier: ClassVar[Tier] = "inline"
    is_trigger: ClassVar[bool] = False
    required_inputs: ClassVar[int | Literal["all"]] = 1
    reads_inputs: ClassVar[bool] = False
    """Whether it looks again at earlier runs of the nodes that are wired to it (a loop does)."""
    effects: ClassVar[tuple[EffectType, ...]] = ()
    """What its runs may ask for beyond items. Where user code ran, others are not believed."""

    def run(self, call: Call) -> Outcome | Awaitable[Outcome]:
        """Turn the call's items into an outcome."""
        raise NotImplementedError

    def transform(self, node: PlanNode) -> Transform | None:
        """The same as `run`, as a plain function of items, where that is possible (`transform`)."""
        return None

    def outputs(self, parameters: dict[str, Any], version: float) -> int:
        """How many main outputs a node with these (raw) parameters has."""
        return 1

    def required(self, parameters: dict[str, Any], version: float) -> int | list[int]:
        """How many inputs (or which) must have arrived before a waiting node may run."""
        return 1

    def raw_parameters(self, version: float) -> frozenset[str]:
        """Top-level parameters that are taken literally, never as expressions."""
        return frozenset()
