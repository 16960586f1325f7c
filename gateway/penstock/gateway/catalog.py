"""The workflows as this gateway knows them: a watch of their bucket, kept in memory.

`learn` takes an entry from the watch or from a change that this gateway itself just made, so that
who activates a workflow here can call it here at once; older revisions never undo newer ones.
"""

import asyncio
import logging
from collections.abc import Iterator

from penstock.gateway.metrics import Metrics
from penstock.gateway.routing import RoutingTable, routes_of
from penstock.subjects.bus import Bucket, KvEntry
from penstock.subjects.codec import CodecError
from penstock.subjects.errors import PenstockError
from penstock.subjects.workflows import WorkflowRecord, workflow_record

AGAIN_S = 1.0

log = logging.getLogger("penstock.gateway")


class Known:
    """A record and the revision at which it stood."""

    __slots__ = ("record", "revision")

    def __init__(self, record: WorkflowRecord, revision: int) -> None:
        self.record = record
        self.revision = revision


class Catalog:
    """All workflow records, and the routes that follow from them."""

    def __init__(self, routes: RoutingTable, metrics: Metrics) -> None:
        self.loaded = asyncio.Event()
        self._routes = routes
        self._metrics = metrics
        self._known: dict[str, Known] = {}
        self._revisions: dict[str, int] = {}

    async def follow(self, bucket: Bucket) -> None:
        """Run for ever: learn what the bucket tells. An outage keeps what is known."""
        while True:
            try:
                async for entry in bucket.watch():
                    if entry is None:
                        self.loaded.set()
                    else:
                        self.learn(entry)
            except PenstockError as error:
                log.warning("the watch of the workflows broke: %s", error.message)
            await asyncio.sleep(AGAIN_S)

    def learn(self, entry: KvEntry) -> None:
        """Take over an entry unless something newer is known."""
        if entry.revision <= self._revisions.get(entry.key, -1):
            return
        self._revisions[entry.key] = entry.revision
        if entry.value is None:
            self.forget(entry.key)
            return
        try:
            record = workflow_record.decode(entry.value)
        except CodecError as error:
            log.error("the record %s cannot be read: %s", entry.key, error)
            return
        self._known[entry.key] = Known(record, entry.revision)
        try:
            routes = routes_of(record)
        except Exception:
            # One record that no check foresaw must not take the other workflows' routes along.
            log.exception("the routes of %s cannot be read; it is not served", entry.key)
            routes = []
        self._routes.replace(entry.key, routes)
        self._metrics.routes = self._routes.count

    def forget(self, key: str) -> None:
        """The workflow is gone."""
        self._known.pop(key, None)
        self._routes.replace(key, ())
        self._metrics.routes = self._routes.count

    def get(self, key: str) -> Known | None:
        """What is known under `key`."""
        return self._known.get(key)

    def of(self, tenant: str) -> Iterator[Known]:
        """Every workflow of a tenant, in no order."""
        return (known for known in self._known.values() if known.record.tenant == tenant)
