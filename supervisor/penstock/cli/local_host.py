"""A sandbox host inside of the command's process, started when the first step asks for one.

Most workflows that people try have no code in them; they should not pay for a zygote.
"""

from penstock.sandbox_host.executor import Executor
from penstock.sandbox_host.pool import PoolSettings, ProcessPool
from penstock.subjects.messages import Step, StepResult
from penstock.workflow.compile import PlanCache
from penstock.workflow.plan import Plan


class LocalHost:
    """Runs the steps of executions in this process. Use as an async context manager."""

    def __init__(self, plans: PlanCache) -> None:
        self._plans = plans
        self._pool: ProcessPool | None = None
        self._executor: Executor | None = None

    async def __aenter__(self) -> "LocalHost":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._pool is not None:
            await self._pool.close()

    async def run(self, step: Step) -> StepResult:
        """The result of one step."""
        if self._executor is None:
            self._pool = ProcessPool(PoolSettings(workers_max=4, blank=1))
            await self._pool.start()
            self._executor = Executor(self._plan, self._pool)
        return await self._executor.run(step)

    async def _plan(self, key: str) -> Plan:
        plan = self._plans.get(key)
        assert plan is not None, "a running execution's plan is in the cache"
        return plan
