"""Plans for a sandbox host: fetched from the `plans` bucket by hash, compiled once, kept."""

import asyncio

from penstock.nodes.registry import REGISTRY
from penstock.subjects.bus import Bus
from penstock.subjects.config import DEFAULT_TIMEZONE
from penstock.subjects.errors import BusError, PenstockError
from penstock.workflow.document import decode
from penstock.workflow.plan import Plan
from penstock.workflow.plan_cache import PlanCache

_RETRY_S = 0.2


class Plans:
    """Callable as `Executor` wants it. An outage of the bus is waited out."""

    def __init__(self, bus: Bus, *, timezone: str = DEFAULT_TIMEZONE) -> None:
        self._bucket = bus.bucket("plans")
        self._cache = PlanCache(REGISTRY, timezone=timezone)
        self._loading: dict[str, asyncio.Task[Plan]] = {}

    async def __call__(self, key: str) -> Plan:
        """The plan with this content hash; `PenstockError` when there is none."""
        plan = self._cache.get(key)
        if plan is not None:
            return plan
        task = self._loading.get(key)
        if task is None:
            task = self._loading[key] = asyncio.ensure_future(self._load(key))
            task.add_done_callback(lambda _: self._loading.pop(key, None))
        return await asyncio.shield(task)

    async def _load(self, key: str) -> Plan:
        while True:
            try:
                entry = await self._bucket.get(key)
                break
            except BusError:
                await asyncio.sleep(_RETRY_S)
        if entry is None or entry.value is None:
            raise PenstockError(
                f"The workflow version {key} does not exist",
                remedy="save the workflow again; its document is not in the plans bucket",
            )
        return self._cache.add(decode(entry.value), key)
