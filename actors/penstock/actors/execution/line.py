"""Running a line of nodes whose work is a plain function of their items: the fast path.

`running` runs any node, with retries, effects, errors, waits. Most steps have none of that, and
for them its generality would cost several times what they do. So as long as the node at the front
has a `Transform` (`penstock.sdk.transform`), it is run here in one tight loop. The journal and the
state come to exactly what the general way gives; what a transform refuses goes the general way.
"""

from operator import is_

from penstock.actors.execution.events import Ran
from penstock.actors.execution.steps import INLINE_ITEMS_MAX, TooHeavyError, scope_of
from penstock.actors.execution.transitions import ran_plainly
from penstock.actors.execution.turn import Turn
from penstock.sdk.transform import transforms_of
from penstock.subjects.messages import Item, Outputs


def run_line(turn: Turn, steps_max: int) -> int:
    """Run nodes from the front on, until one needs the general way; how many were run."""
    state = turn.state
    if state.request.output and not state.seq:
        return 0
    stack, transforms, now_ms = state.stack, transforms_of(state.plan), turn.now_ms
    count = 0
    while stack and count < steps_max and not state.failure:
        entry = stack[0]
        node, items = entry.node, entry.inputs[0]
        transform = transforms[node]
        if transform is None or entry.is_resumed or not items or len(items) > INLINE_ITEMS_MAX:
            break
        scope = scope_of(state, entry, now_ms, turn.patience)
        try:
            outputs = transform(scope, items)
        except (Exception, TooHeavyError):
            break  # the general way finds out again, and says it properly
        if scope.written is not None:
            break
        if len(outputs) == 1 and outputs[0] and outputs[0][0] is not items[0]:
            ran = Ran(node, outputs, now_ms)  # new items, as most nodes make
        else:
            thin, same = without_copies(items, outputs)
            ran = Ran(node, thin, now_ms, same=same, passed=len(items) if same >= 0 else 0)
        turn.events.append(ran)
        ran_plainly(state, entry, outputs)
        count += 1
    return count


def without_copies(items: list[Item], outputs: Outputs) -> tuple[Outputs, int]:
    """The outputs to record, and which of them holds just `items`, those of input 0 (-1: none)."""
    first, count = items[0], len(items)
    for output in outputs:
        if output and output[0] is first:
            break
    else:
        return outputs, -1
    for number, output in enumerate(outputs):
        if output and len(output) == count and all(map(is_, output, items)):
            thin = list(outputs)
            thin[number] = []
            return thin, number
    return outputs, -1
