"""The executor: one step in, one result out, on whichever tier the step's node belongs to.

`penstock.sandbox_host` programs drive it from the bus; `penstock run` and `penstock test` drive it
in process. It decides nothing about retries or flow; it makes sure that whatever happens to a step,
a result comes out.
"""

import time
from collections.abc import Awaitable, Callable

import msgspec

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

    async def run(self, step: Step) -> StepResult:
        """The result of `step`; an exception of ours becomes an outcome too."""
        started_ms = time.time_ns() // 1_000_000
        started = time.perf_counter_ns()
        try:
            outcome = await self._outcome(step)
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            outcome = Outcome(outputs=None, error=ErrorInfo(message=text, name="internal"))
        return StepResult(
            execution=step.execution,
            seq=step.seq,
            attempt=step.attempt,
            outcome=outcome,
            host=self.host_id,
            started_ms=started_ms,
            took_us=(time.perf_counter_ns() - started) // 1000,
        )

    async def _outcome(self, step: Step) -> Outcome:
        plan = await self._plans(step.plan)
        node = plan.nodes[step.node]
        if node.tier == "process" or node.needs_engine:
            await self._give_static_data(node, step)
            outcome = await self._pool.run(step, self._document(plan), timezone=plan.timezone)
            return _believed(node, outcome)
        return await run_node_async(scope_of(plan, step), self._services)

    async def _give_static_data(self, node: PlanNode, step: Step) -> None:
        if not asks_for_static_data(node):
            return
        if self._static_data is not None:
            await self._static_data.fill(step)
        elif step.static is None:
            step.static = {}

    def _document(self, plan: Plan) -> bytes:
        body = self._documents.get(plan.hash)
        if body is None:
            if len(self._documents) >= _DOCUMENTS_MAX:
                self._documents.clear()
            body = self._documents[plan.hash] = _encode(plan.document)
        return body


def _believed(node: PlanNode, outcome: Outcome) -> Outcome:
    """The outcome without effects that the node's type never gives: user code can forge any."""
    if outcome.effects:
        given = node.kind.effects if isinstance(node.kind, Node) else ()
        outcome.effects = [each for each in outcome.effects if isinstance(each, given)] or None
    return outcome
