"""A sandbox host's executor inside of the command's process.

Its workers start when the first step needs one: most workflows that people try have no code in
them and should not pay for a zygote. Trusted nodes reach what the egress guard lets them reach
(`PENSTOCK_EGRESS_ALLOW` adds private networks), and binaries live as long as the command.
"""

import asyncio
import os
import tempfile
from pathlib import Path

from penstock.sandbox_host.egress import EgressPolicy
from penstock.sandbox_host.executor import Executor, Plans
from penstock.sandbox_host.pool import PoolSettings, ProcessPool
from penstock.sandbox_host.services import Services
from penstock.subjects.blobs import BlobStore
from penstock.subjects.messages import Step, StepResult
from penstock.workflow.plan import Plan
from penstock.workflow.plan_cache import PlanCache


class LocalHost(Executor):
    """Runs the steps of executions in this process. Use as an async context manager."""

    def __init__(self, plans: Plans) -> None:
        self._blobs = tempfile.TemporaryDirectory(prefix="penstock-run-")
        policy = EgressPolicy.from_text(os.environ.get("PENSTOCK_EGRESS_ALLOW", ""))
        self._lent = Services(policy=policy, blobs=BlobStore.local(Path(self._blobs.name)))
        self._workers = ProcessPool(PoolSettings(workers_max=4, blank=1))
        self._starting = asyncio.Lock()
        self._is_started = False
        self._find = plans
        super().__init__(plans, self._workers, services=self._lent)

    async def __aenter__(self) -> "LocalHost":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._is_started:
            await self._workers.close()
        await self._lent.close()
        self._blobs.cleanup()

    async def run(self, step: Step) -> StepResult:
        """The result of one step."""
        node = (await self._find(step.plan)).nodes[step.node]
        if node.tier != "trusted" or node.needs_engine:
            async with self._starting:
                if not self._is_started:
                    await self._workers.start()
                    self._is_started = True
        return await super().run(step)


def from_cache(cache: PlanCache) -> Plans:
    """Plans that were compiled here before their steps came."""

    async def find(key: str) -> Plan:
        plan = cache.get(key)
        assert plan is not None, "a running execution's plan is in the cache"
        return plan

    return find
