"""The execution core: what one execution does when something reaches it. Pure.

    turn = start(state, now_ms)            # and on_result, on_timer, on_signal, on_return
    while turn.more: turn = advance(state, now_ms)

Each call changes the state by events (through `apply` alone) and answers them in a Turn together
with the effects that follow. The caller appends the events to the journal and does the effects
after the append is acknowledged; the same events applied to a new state give the same execution.
Nothing here reads a clock, waits, or does I/O.

Nodes of tier `inline` run in here; others become a Dispatch, and the execution waits for
`on_result`. Messages that no longer fit (a late result, a timer of an earlier wait) give an empty
Turn: every caller may deliver twice. StartChild, CancelChild, ReturnToParent and
StartErrorWorkflow concern executions of the same partition: the caller must record what they lead
to in the same append as the events they came with, since a finished execution does not tell them
again.
"""

from penstock.actors.execution import answers, calls, running, steps
from penstock.actors.execution.effects import CoreEffect, SetTimer, TimerKind
from penstock.actors.execution.events import Returned, Started, Woken
from penstock.actors.execution.running import conclude, finish, go_on, run_front, timer_token
from penstock.actors.execution.snapshots import dump, load
from penstock.actors.execution.state import RUNNING, State
from penstock.actors.execution.transitions import apply
from penstock.actors.execution.turn import Turn
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Cancel, Outputs, Resume, RunRequest, StepResult
from penstock.workflow.expressions import ExpressionError
from penstock.workflow.plan import OnError, Plan
from penstock.workflow.scope import ResumeUrl, unsigned

__all__ = [
    "State",
    "Turn",
    "advance",
    "apply",
    "dump",
    "fail",
    "load",
    "new_state",
    "on_result",
    "on_return",
    "on_signal",
    "on_timer",
    "outstanding",
    "start",
]

CANCELED = ErrorInfo(message="The execution was cancelled", name="ExecutionCancelledError")
TIMED_OUT = ErrorInfo(
    message="The execution was cancelled because it timed out",
    name="TimeoutExecutionCancelledError",
)


def new_state(plan: Plan, request: RunRequest, resume_url: ResumeUrl = unsigned) -> State:
    """An execution that has not begun. `resume_url`: what makes the address that resumes it."""
    return State(plan, request, resume_url)


def start(state: State, now_ms: int) -> Turn:
    """Begin; call once, on a new state."""
    turn = Turn(state, now_ms)
    try:
        is_answered = answers.on_start(turn)
    except ExpressionError as error:
        # Written by a user: a failure of the node that it stands in, and none of ours.
        turn.happen(Started(now_ms))
        running.fail_front(turn, error)
        return turn
    turn.happen(Started(now_ms, is_answered=is_answered))
    if state.plan.timeout_ms:
        turn.effects.append(SetTimer(now_ms + state.plan.timeout_ms, "timeout", 0))
    return go_on(turn)


def advance(state: State, now_ms: int) -> Turn:
    """Go on after a Turn that said `more`; harmless at any other time."""
    return go_on(Turn(state, now_ms))


def on_result(state: State, result: StepResult, now_ms: int) -> Turn:
    """A step came back from a sandbox host."""
    turn = Turn(state, now_ms)
    if not steps.is_awaited(state, result.seq, result.attempt):
        return turn
    conclude(turn, result.outcome, took_us=result.took_us)
    return go_on(turn)


def on_timer(state: State, kind: TimerKind, token: int, now_ms: int) -> Turn:
    """A timer that SetTimer asked for is due."""
    turn = Turn(state, now_ms)
    if state.status != RUNNING:
        return turn
    if kind == "timeout":
        finish(turn, "canceled", TIMED_OUT)
        return turn
    if token != timer_token(state):
        return turn
    if kind == "retry" and state.retry_ms:
        run_front(turn)
        return go_on(turn)
    if kind == "wait" and state.sleep is not None:
        turn.happen(Woken(now_ms))
        return go_on(turn)
    return turn


def on_signal(state: State, signal: Cancel | Resume, now_ms: int) -> Turn:
    """Somebody cancels the execution, or calls the URL it waits for."""
    turn = Turn(state, now_ms)
    if isinstance(signal, Resume):
        if answers.accepts(turn, signal):
            turn.happen(Woken(now_ms, signal.items, answers.on_resume(turn, signal)))
            go_on(turn)
    elif state.status == RUNNING:
        message = signal.reason or CANCELED.message
        finish(turn, "canceled", ErrorInfo(message=message, name=CANCELED.name))
    return turn


def on_return(
    state: State, child: str, outputs: Outputs | None, error: ErrorInfo | None, now_ms: int
) -> Turn:
    """A child execution ended."""
    turn = Turn(state, now_ms)
    if child != calls.current_child(state):
        return turn
    turn.happen(Returned(child, outputs, error, now_ms))
    node = state.plan.nodes[state.stack[0].node]
    if calls.current_child(state) and (error is None or node.on_error is not OnError.STOP):
        turn.effects.append(calls.start_child(state))
        return turn
    conclude(turn, calls.outcome(state, node))
    return go_on(turn)


def fail(state: State, error: ErrorInfo, now_ms: int) -> Turn:
    """End an execution that cannot go on, for reasons outside of its workflow."""
    turn = Turn(state, now_ms)
    if not state.is_finished:
        finish(turn, "error", error)
    return turn


def outstanding(state: State, now_ms: int) -> list[CoreEffect]:
    """What a new owner must do again: the step sent, the timers set, the child called.

    Nothing when `advance` has work to do first (after a Turn that said `more`).
    """
    if state.status != RUNNING:
        return []
    effects: list[CoreEffect] = []
    if state.plan.timeout_ms:
        effects.append(SetTimer(state.started_ms + state.plan.timeout_ms, "timeout", 0))
    if state.sleep is not None:
        if state.sleep.until_ms >= 0:
            effects.append(SetTimer(state.sleep.until_ms, "wait", timer_token(state)))
    elif state.calls is not None:
        effects.append(calls.start_child(state))
    elif state.retry_ms > now_ms or (state.retry_ms and running.runs_here(state)):
        effects.append(SetTimer(max(state.retry_ms, now_ms), "retry", timer_token(state)))
    elif state.stack and not running.runs_here(state):
        effects.append(steps.dispatch(state, now_ms))
    return effects
