"""Executes workflows at a moment of one's choice: the real core, nodes and sandbox, no bus.

For `penstock test`, whose rows mean the same on every day: the clock stands still, and a Wait takes
no time. `installation` runs a document as production does.
"""

from collections.abc import Awaitable, Callable

from penstock.actors.execution import core
from penstock.actors.execution.effects import (
    CoreEffect,
    Dispatch,
    SetTimer,
    StartChild,
)
from penstock.actors.execution.history import History
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Item, RunRequest, Step, StepResult
from penstock.workflow.plan import Plan
from penstock.workflow.plan_cache import PlanCache

WAITING_URL = "http://localhost/waiting-webhook"  # leads nowhere: there is no server

RunStep = Callable[[Step], Awaitable[StepResult]]


class Time:
    """The time of a test: it begins at a given moment and passes only when somebody waits."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def sleep_until(self, at_ms: int) -> None:
        """Let the time pass until `at_ms`."""
        self.now_ms = max(self.now_ms, at_ms)


class LocalEngine:
    """See the module's text. Of called workflows, those that stand in the calling node exist."""

    def __init__(self, plans: PlanCache, run_step: RunStep, time: Time) -> None:
        self._plans = plans
        self._run_step = run_step
        self._time = time

    async def execute(self, plan: Plan, request: RunRequest) -> History:
        """Run until the execution is over, or waits for a call that nobody can make here."""
        state = self._new_state(plan, request)
        history = History(self._new_state(plan, request))
        turn = core.start(state, self._time.now_ms)
        while True:
            for event in turn.events:
                history.add(event)
            if turn.more:
                turn = core.advance(state, self._time.now_ms)
                continue
            following = await self._after(state, turn.effects)
            if following is None:
                return history
            turn = following

    def _new_state(self, plan: Plan, request: RunRequest) -> core.State:
        return core.new_state(plan, request, _resume_url)

    async def _after(self, state: core.State, effects: list[CoreEffect]) -> core.Turn | None:
        """Do what a turn asks for; the turn that it leads to, None when nothing is left to do."""
        following = None
        for effect in effects:
            if isinstance(effect, Dispatch):
                result = await self._run_step(effect.step)
                following = core.on_result(state, result, self._time.now_ms)
            elif isinstance(effect, SetTimer) and effect.kind != "timeout":
                self._time.sleep_until(effect.at_ms)
                following = core.on_timer(state, effect.kind, effect.token, self._time.now_ms)
            elif isinstance(effect, StartChild):
                following = await self._child(state, effect) or following
        return following

    async def _child(self, state: core.State, effect: StartChild) -> core.Turn | None:
        document = effect.document
        outputs = None
        if document is None:
            message = f'There is no workflow with the id "{effect.workflow}"'
            error: ErrorInfo | None = ErrorInfo(message=message, name="WorkflowOperationError")
        else:
            plan = self._plans.add(document)
            request = self.request(plan, effect.child, effect.items, mode=effect.mode)
            history = await self.execute(plan, request)
            error = history.state.error
            outputs = history.state.last_outputs if error is None else None
        if not effect.must_return:
            return None
        return core.on_return(state, effect.child, outputs, error, self._time.now_ms)

    def request(
        self, plan: Plan, execution: str, items: list[Item], *, mode: str = "manual"
    ) -> RunRequest:
        """A request to run `plan` from its start."""
        return RunRequest(
            execution=execution,
            tenant="main",
            workflow=str(plan.document.get("id") or "test"),
            plan=plan.hash,
            start=_start(plan) if mode == "integrated" else "",
            mode=mode,
            items=items,
            received_ms=self._time.now_ms,
        )


def _resume_url(execution: str) -> str:
    return f"{WAITING_URL}/{execution}"


def _start(plan: Plan) -> str:
    """Where a called workflow begins: its Execute Workflow Trigger."""
    for node in plan.nodes:
        if node.type == "n8n-nodes-base.executeWorkflowTrigger" and not node.disabled:
            return node.name
    return ""
