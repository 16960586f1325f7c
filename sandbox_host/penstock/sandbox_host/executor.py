"""The executor: one step in, one result out, on whichever tier the step's node belongs to.

`penstock.sandbox_host` programs drive it from the bus; `penstock run` and `penstock test` drive it
in process. It decides nothing about retries or flow; it makes sure that whatever happens to a step,
a result comes out.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from penstock.sandbox_host.once import OnResult
from penstock.sandbox_host.pool import ProcessPool
from penstock.sandbox_host.scopes import scope_of
from penstock.sandbox_host.static_data import StaticDataReader, asks_for_static_data
from penstock.sdk.node import Node
from penstock.sdk.runner import run_node_async
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Outcome, Step, StepResult
from penstock.workflow.plan import Plan, PlanNode

Plans = Callable[[str], Awaitable[Plan]]
"""The plan with this content hash."""

_DOCUMENTS_MAX = 512
_encode = msgspec.json.Encoder().encode


class _Ready(NamedTuple):
    """What it takes to give steps of a node to workers, once its plan is here."""

    node: PlanNode
    document: bytes
    timezone: str


class _Begun:
    """When a run began."""

    __slots__ = ("at_ms", "clock_ns")

    def __init__(self) -> None:
        self.at_ms = time.time_ns() // 1_000_000
        self.clock_ns = time.perf_counter_ns()


class Executor:
    """See the module's text. `services` is lent to `trusted` nodes (`call.services`);
    without `static_data` workflows begin with none."""

    def __init__(
        self,
        plans: Plans,
        pool: ProcessPool,
        *,
        host_id: str = "local",
        services: object = None,
        static_data: StaticDataReader | None = None,
    ) -> None:
        self._plans = plans
        self._pool = pool
        self.host_id = host_id
        self._services = services
        self._static_data = static_data
        self._documents: dict[str, bytes] = {}
        self._ready: dict[tuple[str, int], _Ready] = {}

    def start(self, step: Step, on_result: OnResult) -> "asyncio.Task[StepResult] | None":
        """Call back with what `run` gives, by a task only where something must be awaited; the
        task, so that it can be cancelled, and then nobody is called."""
        ready = self._ready.get((step.plan, step.node))
        if ready is not None:
            self._submit(step, ready, on_result)
            return None
        task = asyncio.ensure_future(self.run(step))

        def ended(done: asyncio.Task[StepResult]) -> None:
            if not done.cancelled():
                on_result(done.result())

        task.add_done_callback(ended)
        return task

    def _submit(self, step: Step, ready: _Ready, on_result: OnResult) -> None:
        begun = _Begun()

        def ended(outcome: Outcome) -> None:
            on_result(self._result(step, begun, _believed(ready.node, outcome)))

        try:
            self._pool.submit(step, ready.document, ended, timezone=ready.timezone)
        except Exception as error:
            on_result(self._result(step, begun, _internal(error)))

    async def run(self, step: Step) -> StepResult:
        """The result of `step`; an exception of ours becomes an outcome too."""
        begun = _Begun()
        try:
            outcome = await self._outcome(step)
        except Exception as error:
            outcome = _internal(error)
        return self._result(step, begun, outcome)

    def _result(self, step: Step, begun: "_Begun", outcome: Outcome) -> StepResult:
        return StepResult(
            execution=step.execution,
            seq=step.seq,
            attempt=step.attempt,
            outcome=outcome,
            host=self.host_id,
            started_ms=begun.at_ms,
            took_us=(time.perf_counter_ns() - begun.clock_ns) // 1000,
        )

    async def _outcome(self, step: Step) -> Outcome:
        plan = await self._plans(step.plan)
        node = plan.nodes[step.node]
        if node.tier == "process" or node.needs_engine:
            ready = _Ready(node, self._document(plan), plan.timezone)
            if asks_for_static_data(node):
                await self._give_static_data(step)
            else:
                self._ready[step.plan, step.node] = ready
            outcome = await self._pool.run(step, ready.document, timezone=ready.timezone)
            return _believed(node, outcome)
        return await run_node_async(scope_of(plan, step), self._services)

    async def _give_static_data(self, step: Step) -> None:
        if self._static_data is not None:
            await self._static_data.fill(step)
        elif step.static is None:
            step.static = {}

    def _document(self, plan: Plan) -> bytes:
        body = self._documents.get(plan.hash)
        if body is None:
            if len(self._documents) >= _DOCUMENTS_MAX:
                self._documents.clear()
                self._ready.clear()
            body = self._documents[plan.hash] = _encode(plan.document)
        return body


def _internal(error: Exception) -> Outcome:
    text = f"{type(error).__name__}: {error}"
    return Outcome(outputs=None, error=ErrorInfo(message=text, name="internal"))


def _believed(node: PlanNode, outcome: Outcome) -> Outcome:
    """The outcome without effects that the node's type never gives: user code can forge any."""
    if outcome.effects:
        given = node.kind.effects if isinstance(node.kind, Node) else ()
        outcome.effects = [each for each in outcome.effects if isinstance(each, given)] or None
    return outcome
