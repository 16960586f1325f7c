"""Calls of other workflows: children of an execution, one after another.

Each batch of a call runs as an execution of its own in the same partition, named after its
parent, and the next starts when it came back, as n8n runs them. Their results become the calling
node's outcome, so its onError and retry settings hold for a failing child too.
"""

from penstock.actors.execution.effects import StartChild
from penstock.actors.execution.events import Called
from penstock.actors.execution.state import Calls, State
from penstock.actors.execution.turn import Turn
from penstock.sdk.pairing import pointer
from penstock.sdk.runner import finish
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Call, Item, Outcome, Outputs
from penstock.workflow.plan import OnError, PlanNode

EXECUTION_ID_MAX = 63  # an execution's id is one token of a subject


def begin(turn: Turn, call: Call) -> bool:
    """Start the first child, or all of them when nobody waits; False: nested too deep."""
    state = turn.state
    first = state.children_started + 1
    children = [f"{state.info.id}-{first + n}" for n in range(len(call.batches))]
    if len(children[-1]) > EXECUTION_ID_MAX:
        return False
    node = state.stack[0].node
    kept = call if call.wait else None
    turn.happen(Called(node, children, turn.now_ms, call.paired, kept))
    if call.wait:
        turn.effects.append(start_child(state))
    else:
        for child, items in zip(children, call.batches, strict=True):
            turn.effects.append(_start(call, child, items))
    return True


def too_deep(state: State) -> Outcome:
    """The failure of a node whose call would nest too deep."""
    node = state.plan.nodes[state.stack[0].node]
    error = ErrorInfo(
        message="Workflows call each other too deep",
        name="WorkflowOperationError",
        description="A workflow that calls itself without end would never finish.",
        node=node.name,
    )
    return finish(node, state.stack[0].inputs, Outcome(outputs=None, error=error))


def current_child(state: State) -> str:
    """The child that the execution waits for, empty when it waits for none."""
    calls = state.calls
    if calls is None or len(calls.results) == len(calls.children):
        return ""
    return calls.children[len(calls.results)]


def start_child(state: State) -> StartChild:
    """The start of the child that is waited for; the same each time it is asked."""
    calls = state.calls
    assert calls is not None
    number = len(calls.results)
    return _start(calls.call, calls.children[number], calls.call.batches[number])


def _start(call: Call, child: str, items: list[Item]) -> StartChild:
    return StartChild(child, call.workflow, call.document, items, "integrated", call.wait)


def outcome(state: State, node: PlanNode) -> Outcome:
    """What the calls came to, as the outcome of the calling node."""
    calls = state.calls
    assert calls is not None
    _, error = calls.results[-1]
    if error is not None and node.on_error is OnError.STOP:
        failed = ErrorInfo(
            message=error.message, name=error.name, description=error.description, node=node.name
        )
        return Outcome(outputs=None, error=failed)
    return finish(node, state.stack[0].inputs, Outcome(outputs=_outputs(calls)))


def _outputs(calls: Calls) -> Outputs:
    """The children's outputs joined, each item pointing at the input it was called for."""
    outputs: Outputs = [[]]
    for number, (came_back, error) in enumerate(calls.results):
        returned = [[{"json": {"error": error.message}}]] if error else came_back
        for position, items in enumerate(returned or ()):
            while len(outputs) <= position:
                outputs.append([])
            joined = outputs[position]
            assert joined is not None
            joined.extend(_again(item, number, calls.paired) for item in items or ())
    return outputs


def _again(item: Item, number: int, paired: bool) -> Item:
    """A child's item in its parent: its lineage inside of the child means nothing here."""
    own = {key: value for key, value in item.items() if key != "pairedItem"}
    if paired:
        own["pairedItem"] = pointer(number)
    return own
