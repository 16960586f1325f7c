"""Executes workflows to their end in this process: the real core, nodes and sandbox, no server.

Time is the caller's: `penstock run` waits as long as a Wait node says, `penstock test` jumps.
Nothing is stored, so a killed run is gone; that is what `penstock up` is for.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

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
from penstock.workflow.compile import PlanCache
from penstock.workflow.plan import Plan

WAITING_URL = "http://localhost/waiting-webhook"  # leads nowhere: there is no server

RunStep = Callable[[Step], Awaitable[StepResult]]


class Time:
    """The time of local executions; with `jumps` a sleep takes none."""

    def __init__(self, now_ms: Callable[[], int], *, jumps: bool = False) -> None:
        self._now_ms = now_ms
        self._jumps = jumps
        self._ahead_ms = 0

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self._now_ms() + self._ahead_ms

    async def sleep_until(self, at_ms: int) -> None:
        """Come back at `at_ms`."""
        wait_ms = max(at_ms - self.now_ms(), 0)
        if self._jumps:
            self._ahead_ms += wait_ms
        else:
            await asyncio.sleep(wait_ms / 1_000)


class LocalEngine:
    """See the module's text. `documents` are the workflows that others may call, by their id."""

    def __init__(
        self,
        plans: PlanCache,
        run_step: RunStep,
        time: Time,
        documents: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        self._plans = plans
        self._run_step = run_step
        self._time = time
        self._documents = documents or {}

    async def execute(self, plan: Plan, request: RunRequest) -> History:
        """Run until the execution is over, or waits for a call that nobody can make here."""
        state = self._new_state(plan, request)
        history = History(self._new_state(plan, request))
        turn = core.start(state, self._time.now_ms())
        while True:
            for event in turn.events:
                history.add(event)
            if turn.more:
                turn = core.advance(state, self._time.now_ms())
                continue
            following = await self._after(state, turn.effects)
            if following is None:
                return history
            turn = following

    def _new_state(self, plan: Plan, request: RunRequest) -> core.State:
        state = core.new_state(plan, request)
        state.info.resume_url = f"{WAITING_URL}/{request.execution}"
        return state

    async def _after(self, state: core.State, effects: list[CoreEffect]) -> core.Turn | None:
        """Do what a turn asks for; the turn that it leads to, None when nothing is left to do."""
        following = None
        for effect in effects:
            if isinstance(effect, Dispatch):
                result = await self._run_step(effect.step)
                following = core.on_result(state, result, self._time.now_ms())
            elif isinstance(effect, SetTimer) and effect.kind != "timeout":
                await self._time.sleep_until(effect.at_ms)
                following = core.on_timer(state, effect.kind, effect.token, self._time.now_ms())
            elif isinstance(effect, StartChild):
                following = await self._child(state, effect) or following
        return following

    async def _child(self, state: core.State, effect: StartChild) -> core.Turn | None:
        document = effect.document or self._documents.get(effect.workflow)
        outputs = None
        if document is None:
            error: ErrorInfo | None = ErrorInfo(
                message=f"Workflow does not exist: {effect.workflow}",
                description="Give the files of workflows that are called with --with.",
            )
        else:
            plan = self._plans.add(document)
            request = self.request(plan, effect.child, effect.items, mode=effect.mode)
            history = await self.execute(plan, request)
            error = history.state.error
            outputs = history.state.last_outputs if error is None else None
        if not effect.must_return:
            return None
        return core.on_return(state, effect.child, outputs, error, self._time.now_ms())

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
            received_ms=self._time.now_ms(),
        )


def _start(plan: Plan) -> str:
    """Where a called workflow begins: its Execute Workflow Trigger."""
    for node in plan.nodes:
        if node.type == "n8n-nodes-base.executeWorkflowTrigger" and not node.disabled:
            return node.name
    return ""
