"""Claims: so that two workflows cannot own one webhook path.

A claim stands in the bucket `routes` under tenant, method and a hash of the path's shape, and
holds the workflow's id. It counts only while that workflow is active on that path: a claim that a
crash left behind may be taken over by compare-and-set. So claims come before the record that needs
them and go after it, and no crash between the two leaves a path that nobody can have.

Two activations can each find the other's claim void at one moment. So each looks at the other once
more after it wrote: who was to be active at its claims (`are_held`), who took a claim over at the
records of its former holders. Until that look is over the claim names the former holders too,
behind the new one: one that became active takes it back, a third that comes along looks at all.
"""

import contextlib
import hashlib
from collections.abc import Iterable

from penstock.gateway.problems import ProblemError
from penstock.gateway.triggers import claim_of
from penstock.subjects.bus import Bus, KvEntry
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
        """Whether all paths of an active workflow are still claimed by it. One that is just being
        taken from it is taken back."""
        for route in record.webhooks:
            if route.is_claimed and not await self._is_held(record, route):
                return False
        return True

    async def release(self, record: WorkflowRecord, routes: Iterable[WebhookRoute]) -> None:
        """Let paths go. What somebody else took meanwhile stays theirs."""
        for route in routes:
            key = _key(record.tenant, route)
            entry = await self._routes.get(key)
            if route.is_claimed and entry is not None and _holders(entry) == [record.id]:
                with contextlib.suppress(WrongLastSequenceError):
                    await self._routes.delete(key, entry.revision)

    async def _is_held(self, record: WorkflowRecord, route: WebhookRoute) -> bool:
        key = _key(record.tenant, route)
        while True:
            entry = await self._routes.get(key)
            holders = _holders(entry)
            if entry is None or record.id not in holders or holders[0] == record.id:
                return record.id in holders
            with contextlib.suppress(WrongLastSequenceError):
                await self._routes.update(key, record.id.encode(), entry.revision)

    async def _take(self, record: WorkflowRecord, route: WebhookRoute) -> None:
        key = _key(record.tenant, route)
        for _ in range(TRIES):
            entry = await self._routes.get(key)
            try:
                if entry is None:
                    await self._routes.create(key, record.id.encode())
                elif _holders(entry) != [record.id]:
                    await self._take_over(record, route, entry)
                return
            except WrongLastSequenceError:
                continue
        raise ProblemError(409, f"others claim the webhook {claim_of(route)} just now")

    async def _take_over(self, record: WorkflowRecord, route: WebhookRoute, entry: KvEntry) -> None:
        former = [holder for holder in _holders(entry) if holder != record.id]
        for holder in former:
            await self._refuse_if_owned(record.tenant, holder, route)
        taken = " ".join([record.id, *former]).encode()
        revision = await self._routes.update(entry.key, taken, entry.revision)
        for holder in former:
            try:
                await self._refuse_if_owned(record.tenant, holder, route)
            except ProblemError:
                with contextlib.suppress(WrongLastSequenceError):
                    await self._routes.update(entry.key, holder.encode(), revision)
                raise
        if former:
            await self._routes.update(entry.key, record.id.encode(), revision)

    async def _refuse_if_owned(self, tenant: str, owner: str, route: WebhookRoute) -> None:
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


def _holders(entry: KvEntry | None) -> list[str]:
    """Whose the claim is, and then those from whom it is just being taken."""
    return [] if entry is None or entry.value is None else entry.value.decode().split()


def _key(tenant: str, route: WebhookRoute) -> str:
    digest = hashlib.sha256(claim_of(route).partition(" ")[2].encode()).hexdigest()[:32]
    return f"{tenant}.{route.method}.{digest}"
