"""Running the node at the front of the stack, and what its outcome leads to."""

from penstock.actors.execution import answers, calls, steps
from penstock.actors.execution.effects import CancelChild, ReturnToParent, SaveStatic, SetTimer
from penstock.actors.execution.events import Finished, Ran, Tried, Waited
from penstock.actors.execution.failures import error_workflow
from penstock.actors.execution.line import run_line, without_copies
from penstock.actors.execution.ordering import ENDLESS
from penstock.actors.execution.state import RUNNING, State
from penstock.actors.execution.turn import Turn
from penstock.sdk.pairing import paired_input
from penstock.sdk.runner import run_node
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Call, Outcome, Outputs, Respond, Wait
from penstock.workflow.expressions import ExpressionError
from penstock.workflow.plan import PlanNode

INLINE_STEPS_MAX = 200
RUNS_MAX = 1_000_000


def go_on(turn: Turn) -> Turn:
    """Run nodes until one is dispatched, something is waited for, or the execution is over."""
    state = turn.state
    left = INLINE_STEPS_MAX
    while left > 0:
        if state.status != RUNNING or state.sleep or state.calls or state.retry_ms:
            return turn
        if state.failure or state.seq > RUNS_MAX:
            message = state.failure or ENDLESS
            finish(turn, "error", ErrorInfo(message=message, name="WorkflowOperationError"))
            return turn
        if not state.stack:
            finish(turn, "success", None)
            return turn
        count = run_line(turn, left)
        if not count and not run_front(turn):
            return turn
        left -= count or 1
    turn.more = True
    return turn


def run_front(turn: Turn) -> bool:
    """Run the front node here and conclude it, or dispatch it and answer False."""
    state = turn.state
    entry = state.stack[0]
    node = state.plan.nodes[entry.node]
    if node.disabled or entry.is_resumed:
        passed = len(entry.inputs[0] or ())
        turn.happen(Ran(entry.node, [[]], turn.now_ms, same=0, passed=passed))
    elif _is_pinned(state, node):
        pinned: Outputs = [paired_input(node.pinned or [], 0)]
        turn.happen(Ran(entry.node, pinned, turn.now_ms))
    elif steps.is_inline(node, entry) and not steps.was_sent(state):
        try:
            outcome = run_node(steps.scope_of(state, entry, turn.now_ms, turn.patience))
        except steps.TooHeavyError:
            turn.effects.append(steps.dispatch(state, turn.now_ms))
            return False
        if state.request.output and state.seq == 0:
            _move_to_output(outcome, state.request.output)
        conclude(turn, outcome)
    else:
        if not steps.was_sent(state):
            turn.effects.append(steps.dispatch(state, turn.now_ms))
        return False
    return True


def _move_to_output(outcome: Outcome, output: int) -> None:
    """A trigger with several outputs puts its items out where the request says."""
    if outcome.outputs and output < 100:
        outcome.outputs = [*([[]] * output), outcome.outputs[0]]


def runs_here(state: State) -> bool:
    """Whether the front node needs no sandbox host."""
    entry = state.stack[0]
    node = state.plan.nodes[entry.node]
    return (
        node.disabled or entry.is_resumed or _is_pinned(state, node) or steps.is_inline(node, entry)
    )


def _is_pinned(state: State, node: PlanNode) -> bool:
    return node.pinned is not None and state.request.mode == "manual"


def conclude(turn: Turn, outcome: Outcome, *, took_us: int = 0) -> None:
    """Record what the front node's run came to, or what it asks for before it is over."""
    state = turn.state
    entry = state.stack[0]
    if outcome.error is not None or outcome.is_retryable:
        node = state.plan.nodes[entry.node]
        if node.retry is not None and state.attempt < node.retry.tries:
            _try_again(turn, node, outcome)
            return
        if outcome.outputs is None and outcome.error is not None:
            error = outcome.error
            ran = Ran(entry.node, None, turn.now_ms, took_us, error=error, is_fatal=True)
            ran.attempt = state.attempt
            ran.custom, ran.static = outcome.custom, outcome.static
            turn.happen(ran)
            finish(turn, "error", error)
            return
    if outcome.effects:
        _conclude_with_effects(turn, outcome, took_us)
    else:
        _record(turn, outcome, took_us)


def fail_front(turn: Turn, error: ExpressionError) -> None:
    """End the execution since the settings of the node at the front cannot be evaluated."""
    state = turn.state
    name = ""
    if state.stack:
        entry = state.stack[0]
        name = state.plan.nodes[entry.node].name
        turn.happen(Ran(entry.node, None, turn.now_ms, error=error.info(name), is_fatal=True))
    finish(turn, "error", error.info(name))


def _try_again(turn: Turn, node: PlanNode, outcome: Outcome) -> None:
    assert node.retry is not None
    error = outcome.error or ErrorInfo(message="The node put out an error", node=node.name)
    retry_ms = turn.now_ms + max(node.retry.wait_ms, 1)
    turn.happen(Tried(error, retry_ms, turn.state.attempt))
    turn.effects.append(SetTimer(retry_ms, "retry", timer_token(turn.state)))


def _conclude_with_effects(turn: Turn, outcome: Outcome, took_us: int) -> None:
    """Respond answers at once; Wait and Call keep the node at the front until they are over."""
    is_answered = False
    wait: Wait | None = None
    call: Call | None = None
    for effect in outcome.effects or ():
        if isinstance(effect, Respond):
            is_answered = answers.by_node(turn, effect) or is_answered
        elif isinstance(effect, Wait):
            wait = effect
        else:
            call = effect
    if wait is not None:
        state = turn.state
        node = state.stack[0].node
        turn.happen(Waited(node, wait.until_ms, turn.now_ms, wait.webhook, is_answered))
        if wait.until_ms >= 0:
            turn.effects.append(SetTimer(wait.until_ms, "wait", timer_token(state)))
    elif call is not None and call.batches:
        if not calls.begin(turn, call):
            conclude(turn, calls.too_deep(turn.state))
        elif not call.wait:
            _record(turn, outcome, took_us, is_answered=is_answered)
    else:
        _record(turn, outcome, took_us, is_answered=is_answered)


def _record(turn: Turn, outcome: Outcome, took_us: int, *, is_answered: bool = False) -> None:
    state = turn.state
    entry = state.stack[0]
    items, outputs, same = entry.inputs[0], outcome.outputs, -1
    if items and outputs:
        outputs, same = without_copies(items, outputs)
    turn.happen(
        Ran(
            entry.node,
            outputs,
            turn.now_ms,
            took_us,
            same,
            outcome.error,
            False,
            outcome.context,
            outcome.custom,
            state.attempt,
            is_answered,
            len(items or ()) if same >= 0 else 0,
            outcome.static,
        )
    )


def finish(turn: Turn, status: str, error: ErrorInfo | None) -> None:
    """End the execution: stop its child, tell who waits for it, its parent, its error workflow."""
    state = turn.state
    if state.answer_to is not None:
        answers.at_end(turn, error)
    child = calls.current_child(state)
    if child:
        turn.effects.append(CancelChild(child))
    if state.request.parent:
        outputs = state.last_outputs if error is None else None
        turn.effects.append(ReturnToParent(state.request.parent, state.info.id, outputs, error))
    if state.static is not None and state.request.workflow and state.request.mode != "manual":
        turn.effects.append(SaveStatic(state.request.workflow, state.static))
    turn.happen(Finished(status, turn.now_ms, error))
    if status == "error":
        error_workflow(turn)


def timer_token(state: State) -> int:
    """What a timer of the present wait carries; any later event makes it void."""
    return state.seq * 8 + state.attempt
