"""Nodes whose work is a plain function of their items: the engine's fast path.

Most steps of most workflows set fields, compare or pass on, under no special settings. Around
such work the general way (`runner`: a Call, an Outcome, errors, lineage, settings) costs several
times what the work does. So a node class may offer, for a node whose parameters tell everything
beforehand, a `Transform`: made once per plan, it goes from the items of input 0 to the outputs.

A transform promises that every item it puts out points into its input (`pairedItem`) and that
none tells of an error. Whatever does not fit that, it refuses by raising, anything at all: the
engine then runs the node in the general way, which gives the right answer or the right error. So
a transform never handles errors, and it changes nothing.
"""

from typing import cast

from penstock.sdk.node import Node
from penstock.subjects.messages import Item, Outputs
from penstock.workflow.plan import OnError, Plan, PlanNode, Transform
from penstock.workflow.scope import Scope


class UnusualError(Exception):
    """What a transform does not cover; nobody ever sees it."""


def transforms_of(plan: Plan) -> list[Transform | None]:
    """The transforms of a plan's nodes, made at the first call."""
    if plan.transforms is None:
        plan.transforms = [transform_of(node) for node in plan.nodes]
    return plan.transforms


def transform_of(node: PlanNode) -> Transform | None:
    """The node's transform; `None` when only the general way will do."""
    is_plain = (
        node.kind is not None
        and node.tier == "inline"
        and node.inputs == 1
        and node.on_error is OnError.STOP
        and node.retry is None
        and node.pinned is None
        and not (node.disabled or node.execute_once or node.always_output)
    )
    if not is_plain:
        return None
    try:
        return cast(Node, node.kind).transform(node)
    except Exception:  # a node that cannot stand its parameters says so when it runs
        return None


def pass_on(_scope: Scope, items: list[Item]) -> Outputs:
    """The transform that lets items through."""
    for item in items:
        refuse_error(item)
    return [items]


def refuse_error(item: Item) -> None:
    """Leave an item that tells of an error to the general way, which rewrites it."""
    if "error" in item or "$error" in item["json"]:
        raise UnusualError
