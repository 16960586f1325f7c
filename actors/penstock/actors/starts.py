"""Starting executions: requests from the inputs, children, error workflows; and holding those
that cannot start yet.

A request is held while its plan is loading, or while its tenant's limits allow no more; why is in
the journal. A held execution that can never start (its version does not exist) ends with that as
its error, and its parent is told.
"""

import logging
from collections.abc import Callable, Mapping

import msgspec

from penstock.actors.directory import Callee, Directory
from penstock.actors.execution import core
from penstock.actors.execution.calls import EXECUTION_ID_MAX
from penstock.actors.execution.effects import (
    CoreEffect,
    ReturnToParent,
    StartChild,
    StartErrorWorkflow,
)
from penstock.actors.execution.events import Event, Finished, Started
from penstock.actors.execution.state import State
from penstock.actors.journal import Happened, Held
from penstock.actors.mailbox import Envelope, Mailbox
from penstock.actors.plans import Plans
from penstock.actors.quotas import REFUSED, Quotas
from penstock.actors.table import Table, Waiting
from penstock.actors.wakeup import Told, Wakeup
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import RunRequest
from penstock.workflow.document import content_hash
from penstock.workflow.plan import Plan
from penstock.workflow.scope import ResumeUrl, unsigned

_TRIGGERS = {
    "integrated": "n8n-nodes-base.executeWorkflowTrigger",
    "error": "n8n-nodes-base.errorTrigger",
}


log = logging.getLogger("penstock.actors")

DOCUMENT = "document"
TOO_MANY = "Too many executions wait already for one of the slots that the concurrency limit allows"
LOST = "The called execution ended, but what it returned was lost"


class Release(msgspec.Struct, frozen=True):
    """What a held execution waited for may be there now. `problem`: it never will be, and `status`
    is the answer to its request."""

    execution: str
    problem: str = ""
    status: int = 500


class Around(msgspec.Struct, frozen=True):
    """What the executions of a partition live among."""

    table: Table
    mailbox: Mailbox
    plans: Plans
    directory: Directory
    wake: Callable[[], None]
    """Something was put in the mailbox from outside of a wake-up."""
    quotas: Quotas
    doomed: Mapping[str, str]
    """Executions that may not start any more, and why."""
    on_broken: Callable[[str, Envelope, Exception], None]
    """A message whose handling raised; the execution's state in memory is not to be trusted."""
    before_change: Callable[[str], None]
    """An open execution is about to change: a snapshot under way looks first."""
    resume_url: ResumeUrl = unsigned


class Starts:
    """See the module's text."""

    def __init__(self, around: Around, wakeup: Wakeup) -> None:
        self._around = around
        self._table = around.table
        self._wakeup = wakeup
        self.keep_for: Callable[[str, Envelope], bool] = lambda execution, envelope: False
        """Keep a message of an execution that is under repair; whether it is."""

    def take(self, request: RunRequest, *, is_written: bool) -> None:
        """Start a request, or hold it. `is_written`: it stands in the inputs."""
        if self._ends_doomed(request):
            return
        reason = self._admit(request)
        if reason == REFUSED:
            error = ErrorInfo(message=TOO_MANY, name="WorkflowOperationError")
            self.end_unstarted(request, "error", error, answer_status=429)
            return
        plan = self._around.plans.get(request.plan)
        if plan is not None and not reason:
            self._start(plan, request, is_written=is_written)
            return
        self._hold(request, reason or "plan", is_written=is_written)
        if not reason:
            self._wait_for_plan(request)

    def release(self, message: Release, _: Envelope) -> None:
        """Start a held execution if it can start now."""
        waiting = self._table.held.get(message.execution)
        if waiting is None:
            return
        request = waiting.request
        if message.problem:
            error = ErrorInfo(message=message.problem, name="WorkflowOperationError")
            self.end_unstarted(request, "error", error, answer_status=message.status)
            return
        if self._ends_doomed(request):
            return
        reason = self._admit(request, is_held=True)
        if reason:
            waiting.reason = reason
            return
        plan = self._around.plans.get(request.plan)
        if plan is None:
            waiting.reason = "plan"
            self._wait_for_plan(request)
            return
        del self._table.held[message.execution]
        self._start(plan, request, is_written=False)

    def wait_again(self, waiting: Waiting) -> None:
        """A held execution was taken over: wait for what it waits for."""
        # The parent of a child with a document of its own asks for it again.
        if waiting.reason != DOCUMENT or not waiting.request.parent:
            self._load(waiting.request)

    def end_unstarted(
        self, request: RunRequest, status: str, error: ErrorInfo, *, answer_status: int = 500
    ) -> None:
        """End an execution that never had a state."""
        now_ms = self._wakeup.now_ms
        events: list[Event] = [Started(now_ms, request), Finished(status, now_ms, error)]
        self._wakeup.entries.append(Happened(request.execution, events))
        self._wakeup.told.append(Told(request, None, events))
        self._wakeup.transitions += 2
        self._table.held.pop(request.execution, None)
        self._wakeup.end(request.execution)
        if request.reply is not None:
            self._wakeup.answer(request.execution, request.reply, answer_status, error.message)
        if request.parent:
            self.tell(ReturnToParent(request.parent, request.execution, None, error))

    def _ends_doomed(self, request: RunRequest) -> bool:
        problem = self._around.doomed.get(request.execution)
        if problem is not None:
            # What it was to work on may be what no record holds.
            bare = msgspec.structs.replace(request, items=[], seed=None)
            self.end_unstarted(bare, "error", ErrorInfo(problem, "WorkflowOperationError"))
        return problem is not None

    def _admit(self, request: RunRequest, *, is_held: bool = False) -> str:
        if request.parent:
            return ""  # it runs in the place of its parent
        return self._around.quotas.admit(request.tenant, request.execution, is_held=is_held)

    def _hold(self, request: RunRequest, reason: str, *, is_written: bool) -> None:
        self._table.held[request.execution] = Waiting(request, reason)
        copy = None if is_written else request
        self._wakeup.entries.append(Held(request.execution, reason, copy))
        self._wakeup.transitions += 1

    def _start(self, plan: Plan, request: RunRequest, *, is_written: bool) -> None:
        if not request.start and request.mode in _TRIGGERS and not is_written:
            request.start = _trigger(plan, _TRIGGERS[request.mode])
        try:
            state = core.new_state(plan, request, self._around.resume_url)
            turn = core.start(state, self._wakeup.now_ms)
        except Exception as error:
            # It was never in the journal, so there is nothing to rebuild it from: it is poison.
            self._around.on_broken("", Envelope(request), error)
            info = ErrorInfo(message=f"Penstock failed: {error!r}", name="internal")
            self.end_unstarted(request, "error", info)
            return
        if not is_written:
            started = turn.events[0]
            assert type(started) is Started
            started.request = request
        self._table.active[request.execution] = state
        self._wakeup.record(state, turn)

    def _wait_for_plan(self, request: RunRequest) -> None:
        self._around.quotas.ended(request.execution)  # admitted in vain; it asks again
        self._load(request)

    def _load(self, request: RunRequest) -> None:
        execution, tenant, around = request.execution, request.tenant, self._around

        def loaded(found: Plan | str) -> None:
            problem = found if isinstance(found, str) else ""
            around.mailbox.put_under_way(tenant, Envelope(Release(execution, problem)))
            around.wake()

        around.plans.want(request.plan, loaded)

    # -- families -----------------------------------------------------------------------------

    def do_within(self, state: State, effect: CoreEffect) -> None:
        """Do what an execution wants of others in its partition."""
        if isinstance(effect, StartChild):
            self._start_child(state, effect)
        elif isinstance(effect, ReturnToParent):
            self.tell(effect)
        elif isinstance(effect, StartErrorWorkflow):
            self._start_error_workflow(state, effect)

    def _start_child(self, parent: State, effect: StartChild) -> None:
        request = parent.request
        if effect.document is not None:
            self._start_inline(parent, effect, effect.document)
            return
        if self._table.knows(effect.child):
            self._tell_again(parent, effect)
            return
        callee = self._around.directory.callee(
            request.tenant, effect.workflow, is_manual=request.mode == "manual"
        )
        if callee is not None:
            self.take(_child(parent, effect, callee), is_written=False)
        elif effect.must_return:
            error = ErrorInfo(
                message=f'There is no workflow with the id "{effect.workflow}"',
                name="WorkflowOperationError",
            )
            self.tell(ReturnToParent(request.execution, effect.child, None, error))

    def _start_inline(self, parent: State, effect: StartChild, document: dict[str, object]) -> None:
        """A child with a document of its own is held until every owner could find that."""
        child, tenant, around = effect.child, parent.request.tenant, self._around
        if child not in self._table.held:
            if self._table.knows(child):
                self._tell_again(parent, effect)
                return
            callee = Callee(effect.workflow, content_hash(document))
            request = _child(parent, effect, callee)
            if around.plans.get(request.plan) is not None:
                self.take(request, is_written=False)
                return
            self._hold(request, DOCUMENT, is_written=False)

        def stored(problem: str) -> None:
            around.mailbox.put_under_way(tenant, Envelope(Release(child, problem)))
            around.wake()

        around.plans.add(document, stored)

    def _tell_again(self, parent: State, effect: StartChild) -> None:
        """A taken-over parent asks for a child that is known. When that has ended, what it
        returned did not get into the journal; waiting on would be waiting for ever."""
        if effect.must_return and not self._table.is_open(effect.child):
            error = ErrorInfo(message=LOST, name="WorkflowOperationError")
            self.tell(ReturnToParent(parent.request.execution, effect.child, None, error))

    def on_return(self, message: ReturnToParent, _: Envelope) -> None:
        """Tell a parent again whose first telling raised, or came while it was repaired."""
        self._tell(message)

    def tell(self, effect: ReturnToParent) -> None:
        """Give a parent what its child came to; while the parent is under repair it is kept."""
        try:
            self._tell(effect)
        except Exception as error:
            # The parent is broken, not the child whose turn this is.
            self._around.on_broken(effect.parent, Envelope(effect), error)

    def _tell(self, effect: ReturnToParent) -> None:
        if self.keep_for(effect.parent, Envelope(effect)):
            return
        parent = self._table.active.get(effect.parent)
        if parent is None:
            return
        self._around.before_change(effect.parent)
        now_ms = self._wakeup.now_ms
        turn = core.on_return(parent, effect.child, effect.outputs, effect.error, now_ms)
        self._wakeup.record(parent, turn)

    def _start_error_workflow(self, failed: State, effect: StartErrorWorkflow) -> None:
        request = failed.request
        execution = f"{request.execution}-error"
        if len(execution) > EXECUTION_ID_MAX:
            # Two workflows that are each other's error workflow would call each other for ever.
            log.warning("%s failed too deep to tell its error workflow", request.execution)
            return
        callee = self._around.directory.callee(request.tenant, effect.workflow, is_manual=False)
        if callee is None or self._table.knows(execution):
            return
        told = RunRequest(
            execution=execution,
            tenant=request.tenant,
            workflow=callee.workflow,
            plan=callee.plan,
            start="",
            mode="error",
            items=[effect.item],
            received_ms=self._wakeup.now_ms,
        )
        self.take(told, is_written=False)


def _child(parent: State, effect: StartChild, callee: Callee) -> RunRequest:
    request = parent.request
    return RunRequest(
        execution=effect.child,
        tenant=request.tenant,
        workflow=callee.workflow,
        plan=callee.plan,
        start="",
        mode=effect.mode,
        items=effect.items,
        received_ms=request.received_ms,
        parent=request.execution if effect.must_return else "",
    )


def _trigger(plan: Plan, type_name: str) -> str:
    """The name of the enabled trigger of that type, empty when there is none."""
    for node in plan.nodes:
        if node.type == type_name and not node.disabled:
            return node.name
    return ""
