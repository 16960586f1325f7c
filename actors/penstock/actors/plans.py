"""Plans for the executions of this host, loaded by content hash when they are first needed.

`get` is the hot path and never waits. What is not here yet is fetched from the `plans` bucket in
the background, once however many ask, and everybody who asked is called back in order. A document
that is not in the bucket, or cannot be read, is told as a problem: executions fail with it rather
than wait for ever. An outage is not a problem, it is waited out.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from penstock.subjects.bus import Bus
from penstock.subjects.config import DEFAULT_TIMEZONE
from penstock.subjects.errors import BusError, PenstockError
from penstock.workflow.document import DOCUMENT_BYTES_MAX, content_hash, decode, encode
from penstock.workflow.plan import NodeTypes, Plan
from penstock.workflow.plan_cache import PlanCache

RETRY_S = 0.2


NODES_MAX = 60_000
"""Ten thousand workflows of a usual size, all of them in use: 350 MB. Compiling one for each of its
executions would cost twenty times what the execution does."""


class Plans:
    """The plans of one host, shared by its partitions. `timezone` is the instance's."""

    def __init__(
        self,
        bus: Bus,
        types: NodeTypes,
        *,
        nodes_max: int = NODES_MAX,
        timezone: str = DEFAULT_TIMEZONE,
    ) -> None:
        self._bucket = bus.bucket("plans")
        self._cache = PlanCache(types, nodes_max, timezone=timezone)
        self.get = self._cache.get
        self._loads: dict[str, asyncio.Task[None]] = {}
        self._wanted: dict[str, list[Callable[[Plan | str], None]]] = {}

    def want(self, key: str, then: Callable[[Plan | str], None]) -> None:
        """Call `then` with the plan, or with a sentence that says why there is none."""
        waiting = self._wanted.setdefault(key, [])
        waiting.append(then)
        if key not in self._loads:
            self._loads[key] = asyncio.ensure_future(self._load(key))

    async def load(self, key: str) -> Plan | str:
        """The plan, or why there is none."""
        plan = self.get(key)
        if plan is not None:
            return plan
        future: asyncio.Future[Plan | str] = asyncio.get_running_loop().create_future()
        self.want(key, lambda found: None if future.done() else future.set_result(found))
        return await future

    def add(self, document: dict[str, Any], then: Callable[[str], None]) -> None:
        """Store an inline document where every owner finds it; `then` is told why it cannot be
        used, or an empty text."""
        key = content_hash(document)
        if self.get(key) is not None:
            then("")
            return
        self._loads[f"+{key}"] = asyncio.ensure_future(self._store(key, document, then))

    def close(self) -> None:
        """Stop loading."""
        for task in self._loads.values():
            task.cancel()

    async def _load(self, key: str) -> None:
        found: Plan | str
        while True:
            try:
                entry = await self._bucket.get(key)
                break
            except BusError:
                await asyncio.sleep(RETRY_S)
        try:
            if entry is None or entry.value is None:
                found = f"The workflow version {key} does not exist"
            else:
                found = self._cache.add(decode(entry.value), key)
        except PenstockError as error:
            found = f"The workflow version {key} cannot be used: {error.message}"
        except Exception as error:
            # One document that the compiler cannot stand must not stop the others.
            found = f"The workflow version {key} cannot be compiled: {error!r}"
        del self._loads[key]
        for then in self._wanted.pop(key, ()):
            then(found)

    async def _store(self, key: str, document: dict[str, Any], then: Callable[[str], None]) -> None:
        problem = ""
        try:
            payload = encode(document)
            if len(payload) > DOCUMENT_BYTES_MAX:
                # The broker would close the connection of whoever sends it too much.
                raise PenstockError(f"it has {len(payload):,} bytes, which is too large")
            await self._put(key, payload)
            self._cache.add(document, key)
        except PenstockError as error:
            problem = f"The workflow that was passed on cannot be used: {error.message}"
        except Exception as error:
            problem = f"The workflow that was passed on cannot be compiled: {error!r}"
        # Another execution may have stored the same document meanwhile.
        self._loads.pop(f"+{key}", None)
        then(problem)

    async def _put(self, key: str, payload: bytes) -> None:
        while True:
            try:
                await self._bucket.put(key, payload)
                return
            except BusError:
                await asyncio.sleep(RETRY_S)
