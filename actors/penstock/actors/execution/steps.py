"""From an execution's state to what a node sees: a Scope here, a Step for a sandbox host.

Both hold the same: the front entry's inputs and the earlier runs that the node may look at.
"""

from penstock.actors.execution.effects import Dispatch
from penstock.actors.execution.state import Entry, State
from penstock.subjects.messages import RunView, Step
from penstock.workflow.plan import PlanNode
from penstock.workflow.scope import Scope

INLINE_ITEMS_MAX = 2_000
INLINE_CHECKS_MAX = 32
"""Of a thousand steps of expressions each, some 30 ms in all: beyond that a sandbox host has to."""


class TooHeavyError(BaseException):
    """Expressions take longer than a partition's loop has time for. No `Exception`, lest a node
    take it for a failure of its own."""


class Patience:
    """What expressions may take in one slice of an execution; a Scope asks it now and then."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = INLINE_CHECKS_MAX

    def __call__(self) -> bool:
        """Never true: raises `TooHeavyError` once, and whenever it is asked after that."""
        self._left -= 1
        if self._left < 0:
            raise TooHeavyError
        return False


def is_inline(node: PlanNode, entry: Entry) -> bool:
    """Whether the node runs in the partition's loop: pure, compiled, few items."""
    if node.tier != "inline":
        return False
    for items in entry.inputs:  # noqa: SIM110 - a generator costs more than a small node
        if items and len(items) > INLINE_ITEMS_MAX:
            return False
    return True


def scope_of(state: State, entry: Entry, now_ms: int, patience: Patience) -> Scope:
    """The scope of the front entry. It shares the state's data, which nobody may change."""
    node = state.plan.nodes[entry.node]
    return Scope(
        state.plan,
        node,
        entry.inputs,
        entry.sources,
        state.runs,
        state.counts[entry.node],
        now_ms,
        state.info,
        state.contexts,
        {},
        state.salt + state.seq,
        patience,
    )


def was_sent(state: State) -> bool:
    """Whether this process has sent the front entry to a host, as it is now."""
    return state.sent_seq == (state.seq, state.attempt)


def is_awaited(state: State, seq: int, attempt: int) -> bool:
    """Whether the execution is at this step, and waits for nothing else."""
    if (seq, attempt) != (state.seq, state.attempt) or state.is_finished:
        return False
    return bool(state.stack) and state.sleep is None and state.calls is None


def dispatch(state: State, now_ms: int) -> Dispatch:
    """Send the front entry to a host, and remember that this process did."""
    state.sent_seq = (state.seq, state.attempt)
    entry = state.stack[0]
    node = state.plan.nodes[entry.node]
    tier = node.tier if node.tier != "inline" else "trusted"
    return Dispatch(tier, _step(state, entry, now_ms))


def _step(state: State, entry: Entry, now_ms: int) -> Step:
    request, info = state.request, state.info
    # By position, since this is done for each step and names cost half of it.
    return Step(
        request.execution,
        request.tenant,
        request.workflow,
        state.plan.hash,
        request.mode,
        entry.node,
        state.counts[entry.node],
        state.seq,
        state.attempt,
        entry.inputs,
        entry.sources,
        _runs(state, entry.node) if state.runs else {},
        state.contexts,
        now_ms,
        state.plan.nodes[entry.node].timeout_ms,
        0,
        info.resume_url,
        info.custom or None,
        state.static,
    )


def _runs(state: State, node: int) -> dict[int, list[RunView]]:
    visible = state.plan.visible[node]
    return {
        index: [RunView(run.outputs, run.sources) for run in runs]
        for index, runs in state.runs.items()
        if visible is None or index in visible
    }
