"""Claims: so that two workflows cannot own one webhook path.

A claim stands in the bucket `routes` under tenant, method and a hash of the path's shape, and
holds the workflow's id. It counts only while that workflow is active on that path: a claim that a
crash left behind, or that was let go (an empty value), may be taken over by compare-and-set. So
claims come before the record that needs them and go after it, and no crash between the two leaves
a path that nobody can have.

Two activations can each find the other's claim void at one moment; that is why claims are checked
again (`are_held`) after the record was written.
"""

import hashlib
from collections.abc import Iterable

from penstock.gateway.problems import ProblemError
from penstock.gateway.triggers import claim_of
from penstock.subjects.bus import Bus
from penstock.subjects.errors import WrongLastSequenceError
from penstock.subjects.workflows import (
    ROUTES,
    WORKFLOWS,
    WebhookRoute,
    WorkflowRecord,
    workflow_key,
    workflow_record,
)

TRIES = 5


class Claims:
    """The claims of one installation's workflows."""

    def __init__(self, bus: Bus) -> None:
        self._routes = bus.bucket(ROUTES)
        self._workflows = bus.bucket(WORKFLOWS)

    async def take(self, record: WorkflowRecord, routes: Iterable[WebhookRoute]) -> None:
        """Claim every path for the workflow, or raise the 409 that names the owner."""
        for route in routes:
            if route.is_claimed:
                await self._take(record, route)

    async def are_held(self, record: WorkflowRecord) -> bool:
        """Whether all paths of an active workflow are still claimed by it."""
        for route in record.webhooks:
            if route.is_claimed:
                entry = await self._routes.get(_key(record.tenant, route))
                if entry is None or entry.value != record.id.encode():
                    return False
        return True

    async def release(self, record: WorkflowRecord, routes: Iterable[WebhookRoute]) -> None:
        """Let paths go. What somebody else took meanwhile stays theirs."""
        for route in routes:
            key = _key(record.tenant, route)
            entry = await self._routes.get(key)
            if route.is_claimed and entry is not None and entry.value == record.id.encode():
                try:
                    # Emptied, not deleted: a deletion has no compare-and-set.
                    await self._routes.update(key, b"", entry.revision)
                except WrongLastSequenceError:
                    continue

    async def _take(self, record: WorkflowRecord, route: WebhookRoute) -> None:
        key, mine = _key(record.tenant, route), record.id.encode()
        for _ in range(TRIES):
            entry = await self._routes.get(key)
            try:
                if entry is None or entry.value is None:
                    await self._routes.create(key, mine)
                elif entry.value != mine:
                    await self._refuse_if_owned(record.tenant, entry.value.decode(), route)
                    await self._routes.update(key, mine, entry.revision)
                return
            except WrongLastSequenceError:
                continue
        raise ProblemError(409, f"others claim the webhook {claim_of(route)} just now")

    async def _refuse_if_owned(self, tenant: str, owner: str, route: WebhookRoute) -> None:
        if not owner:
            return
        entry = await self._workflows.get(workflow_key(tenant, owner))
        if entry is None or entry.value is None:
            return
        record = workflow_record.decode(entry.value)
        owned = {claim_of(theirs) for theirs in record.webhooks if theirs.is_claimed}
        if record.active_hash and claim_of(route) in owned:
            raise ProblemError(
                409,
                f"the webhook {claim_of(route)} belongs to the workflow {owner} "
                f"({record.name!r}), which is active",
                remedy="change the path of one of them, or deactivate the other",
            )


def _key(tenant: str, route: WebhookRoute) -> str:
    digest = hashlib.sha256(claim_of(route).partition(" ")[2].encode()).hexdigest()[:32]
    return f"{tenant}.{route.method}.{digest}"
