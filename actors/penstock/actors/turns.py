"""Messages to the actors they concern.

Calls the core and keeps what comes of it in the wake-up. What concerns other executions of the
partition (children, error workflows) is done at once, so that cause and consequence stand in one
record. Nothing here waits, and nothing reaches the outside. A message whose handling raises is
given to the repairs, and its neighbours do not notice.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from penstock.actors.execution import core
from penstock.actors.execution.effects import CancelChild, CoreEffect, ReturnToParent
from penstock.actors.execution.events import Finished
from penstock.actors.execution.state import State
from penstock.actors.journal import Happened
from penstock.actors.mailbox import Envelope, Input
from penstock.actors.starts import Around, Release, Starts
from penstock.actors.timers import TimerDue
from penstock.actors.wakeup import Continue, Wakeup
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Cancel, Resume, RunRequest, StepResult
from penstock.workflow.plan import Plan

CALLER_ENDED = "The execution was cancelled because the one that called it ended"


class Fail(msgspec.Struct, frozen=True):
    """An execution cannot go on, for a reason outside of its workflow."""

    execution: str
    error: ErrorInfo


class Abandon(msgspec.Struct, frozen=True):
    """An execution cannot be built from what is stored of it, so it ends without its state."""

    execution: str
    problem: str


class Turns:
    """See the module's text."""

    def __init__(self, around: Around, wakeup: Wakeup) -> None:
        self._around = around
        self._table = around.table
        self._wakeup = wakeup
        self.starts = Starts(around, wakeup)
        self.is_first: Callable[[Input], bool] = lambda origin: True
        """Whether everything before an input is dealt with."""
        self.came_straight: Callable[[RunRequest], bool] = lambda request: False
        """Whether a stored request had come straight from its gateway, and was dealt with then."""
        self._parked: dict[str, list[Envelope]] = {}
        self.starts.keep_for = self._keep_for
        self._deferred: list[Envelope] = []
        self._handlers: dict[type, Callable[[Any, Envelope], None]] = {
            RunRequest: self._on_run,
            StepResult: self._on_result,
            TimerDue: self._on_timer,
            Continue: self._on_continue,
            Cancel: self._on_signal,
            Resume: self._on_signal,
            Fail: self._on_fail,
            Abandon: self._on_abandon,
            Release: self.starts.release,
            ReturnToParent: self.starts.on_return,
        }

    def add_handler(self, kind: type, handler: Callable[[Any, Envelope], None]) -> None:
        """Let another kind of actor handle messages of `kind`."""
        self._handlers[kind] = handler

    def handle(self, envelope: Envelope) -> None:
        """Give one message to its actor."""
        message, origin = envelope.message, envelope.origin
        try:
            self._handlers[type(message)](message, envelope)
        except Exception as error:
            self._around.on_broken(getattr(message, "execution", ""), envelope, error)
        if self._wakeup.within:
            self.do_within()
        if origin is not None:
            origin.left -= 1

    def do_within(self) -> None:
        """Do what executions want of others in their partition, now."""
        within = self._wakeup.within
        while within:
            state, effect = within.popleft()
            if type(effect) is CancelChild:
                self.handle(Envelope(Cancel(effect.child, CALLER_ENDED)))
            else:
                self.starts.do_within(state, effect)

    def repeat(self, state: State, effect: CoreEffect) -> None:
        """Do again, at the next wake-up, what a taken-over execution wants of its family."""
        self._wakeup.within.append((state, effect))

    def put_back_deferred(self) -> None:
        """At the end of a wake-up: signals that came before their execution wait for the next."""
        deferred, self._deferred = self._deferred, []
        for envelope in deferred:
            self._around.mailbox.put("", envelope)

    def park(self, execution: str, envelope: Envelope) -> None:
        """Keep this and all further messages of an execution until `unpark`."""
        if envelope.origin is not None:
            envelope.origin.left += 1  # its input is not dealt with before
        self._parked.setdefault(execution, []).append(envelope)

    def unpark(self, execution: str, tenant: str) -> None:
        """Handle what was parked."""
        for envelope in self._parked.pop(execution, ()):
            self._around.mailbox.put_under_way(tenant, envelope)
        self._around.wake()

    def _state_of(self, execution: str, envelope: Envelope) -> State | None:
        """The execution, in memory and about to change; None when it is not open, or when the
        message is parked."""
        if self._keep_for(execution, envelope):
            return None
        state = self._table.active.get(execution)
        if state is None:
            kept = self._table.kept.get(execution)
            if kept is None:
                return None
            plan = self._around.plans.get(kept.plan)
            if plan is None:
                self.park(execution, envelope)
                self._want_plan(execution, kept.tenant, kept.plan)
                return None
            self._around.before_change(execution)
            return self._table.activate(execution, plan)
        self._around.before_change(execution)
        return state

    def _keep_for(self, execution: str, envelope: Envelope) -> bool:
        is_out = execution in self._parked
        if is_out:
            self.park(execution, envelope)
        return is_out

    def _want_plan(self, execution: str, tenant: str, plan: str) -> None:
        def loaded(found: Plan | str) -> None:
            if isinstance(found, str):
                # Failing it would need the version that there is not.
                self._parked[execution].insert(0, Envelope(Abandon(execution, found)))
            self.unpark(execution, tenant)

        self._around.plans.want(plan, loaded)

    def _on_run(self, request: RunRequest, envelope: Envelope) -> None:
        if self._table.knows(request.execution) or request.execution in self._parked:
            return
        origin = envelope.origin
        is_written = origin is not None and origin.is_stored
        if is_written and request.direct and self.came_straight(request):
            return
        if origin is not None:
            origin.taken.append(request.execution)
        self.starts.take(request, is_written=is_written)

    def _on_result(self, result: StepResult, envelope: Envelope) -> None:
        state = self._state_of(result.execution, envelope)
        if state is not None:
            self._wakeup.record(state, core.on_result(state, result, self._wakeup.now_ms))

    def _on_timer(self, due: TimerDue, envelope: Envelope) -> None:
        state = self._state_of(due.execution, envelope)
        if state is not None:
            turn = core.on_timer(state, due.kind, due.token, self._wakeup.now_ms)
            self._wakeup.record(state, turn)

    def _on_continue(self, message: Continue, envelope: Envelope) -> None:
        state = self._state_of(message.execution, envelope)
        if state is not None:
            self._wakeup.record(state, core.advance(state, self._wakeup.now_ms))

    def _on_fail(self, message: Fail, envelope: Envelope) -> None:
        state = self._state_of(message.execution, envelope)
        if state is not None:
            self._wakeup.record(state, core.fail(state, message.error, self._wakeup.now_ms))

    def _on_abandon(self, message: Abandon, _: Envelope) -> None:
        now_ms = self._wakeup.now_ms
        error = ErrorInfo(message=message.problem, name="WorkflowOperationError")
        finished = Finished("error", now_ms, error)
        self._wakeup.entries.append(Happened(message.execution, [finished]))
        self._wakeup.transitions += 1
        self._around.before_change(message.execution)
        self._table.kept.pop(message.execution, None)
        self._wakeup.end(message.execution)
        # Its state is what knew whether somebody called it; who did not takes no notice.
        parent, _dash, number = message.execution.rpartition("-")
        if number.isdigit():
            self.starts.tell(ReturnToParent(parent, message.execution, None, error))

    def _on_signal(self, signal: Cancel | Resume, envelope: Envelope) -> None:
        execution, table = signal.execution, self._table
        state = self._state_of(execution, envelope)
        if state is not None:
            self._wakeup.record(state, core.on_signal(state, signal, self._wakeup.now_ms))
        elif execution in self._parked:
            return
        elif isinstance(signal, Cancel) and execution in table.held:
            message = signal.reason or "The execution was cancelled"
            error = ErrorInfo(message=message, name="ExecutionCancelledError")
            self.starts.end_unstarted(table.held[execution].request, "canceled", error)
        elif envelope.origin is not None and not self._is_ripe(execution, envelope.origin):
            envelope.origin.left += 1
            self._deferred.append(envelope)
        elif isinstance(signal, Resume) and signal.reply is not None:
            is_held = execution in table.held
            text = "is not waiting for a call." if is_held else "has finished already."
            message = f'The execution "{execution}" {text}'
            self._wakeup.answer(execution, signal.reply, 409, message)

    def _is_ripe(self, execution: str, origin: Input) -> bool:
        """The run that a signal is meant for may stand before it, in another tenant's turn."""
        return self._table.knows(execution) or self.is_first(origin)
