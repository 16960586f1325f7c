"""Running a line of nodes whose work is a plain function of their items: the fast path.

`running` runs any node, with retries, effects, errors, waits. Most steps have none of that, and
for them its generality would cost several times what they do. So as long as the node at the front
has a `Transform` (`penstock.sdk.transform`), it is run here in one tight loop. The journal and the
state come to exactly what the general way gives; what a transform refuses goes the general way.
"""

from operator import is_

from penstock.actors.execution.events import Ran
from penstock.actors.execution.state import Entry
from penstock.actors.execution.steps import INLINE_ITEMS_MAX, scope_of
from penstock.actors.execution.transitions import ran_plainly
from penstock.actors.execution.turn import Turn
from penstock.sdk.transform import transforms_of
from penstock.subjects.messages import Outputs
from penstock.workflow.scope import Scope


def run_line(turn: Turn, steps_max: int) -> int:
    """Run nodes from the front on, until one needs the general way; how many were run."""
    state = turn.state
    stack, counts, salt = state.stack, state.counts, state.salt
    if state.request.output and not state.seq:
        return 0
    nodes, transforms = state.plan.nodes, transforms_of(state.plan)
    scope: Scope | None = None
    count = 0
    while stack and count < steps_max and not state.failure:
        entry = stack[0]
        node = entry.node
        transform, items = transforms[node], entry.inputs[0]
        if transform is None or entry.is_resumed or not items or len(items) > INLINE_ITEMS_MAX:
            break
        if scope is None:
            scope = scope_of(state, entry, turn.now_ms)
        else:
            # One scope serves the whole line: nobody keeps it beyond a run.
            scope.node = nodes[node]
            scope.inputs = entry.inputs
            scope.sources = entry.sources
            scope.run_index = counts[node]
            scope.random_seed = salt + state.seq
        try:
            outputs = transform(scope, items)
        except Exception:
            break  # the general way finds out again, and says it properly
        if scope.written is not None:
            break
        thin, same = without_copies(entry, outputs)
        passed = len(items) if same >= 0 else 0
        turn.events.append(Ran(node, thin, turn.now_ms, same=same, passed=passed))
        ran_plainly(state, entry, outputs)
        count += 1
    return count


def without_copies(entry: Entry, outputs: Outputs | None) -> tuple[Outputs | None, int]:
    """The outputs to record, and which of them holds just the items of input 0 (-1: none)."""
    items = entry.inputs[0]
    if not outputs or not items:
        return outputs, -1
    for number, output in enumerate(outputs):
        if not output or len(output) != len(items) or output[0] is not items[0]:
            continue
        if output is items or all(map(is_, output, items)):
            thin = list(outputs)
            thin[number] = []
            return thin, number
    return outputs, -1
