"""Changes to workflows: each is one compare-and-set of one record, or nothing.

The order of writes makes crashes harmless: a document is stored before a record names it, paths
are claimed before a record uses them and let go after. What a crash leaves behind is a document
that nobody names or a claim that counts for nothing (`claims`).

Documents are validated here, on the way in: nothing invalid is ever stored, except that unknown
node types are allowed, noted in the record's `problems`, and keep it from being activated.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from penstock.gateway.catalog import Catalog
from penstock.gateway.claims import Claims
from penstock.gateway.problems import ProblemEntry, ProblemError
from penstock.gateway.triggers import triggers_of
from penstock.subjects.bus import Bus, KvEntry
from penstock.subjects.clock import Clock
from penstock.subjects.errors import WrongLastSequenceError
from penstock.subjects.ids import new_id
from penstock.subjects.workflows import (
    PLANS,
    WORKFLOWS,
    Version,
    WorkflowRecord,
    workflow_key,
    workflow_record,
)
from penstock.workflow.document import Document, Problem, content_hash, decode, encode
from penstock.workflow.plan import NodeTypes
from penstock.workflow.validate import check

TRIES = 8
NAME_LENGTH_MAX = 200

Change = Callable[[WorkflowRecord], Awaitable[WorkflowRecord]]


class Stored(NamedTuple):
    """A record as it stands in the bucket."""

    record: WorkflowRecord
    revision: int


class Checked(NamedTuple):
    """A valid document: its hash, its bytes, how it reads, which nodes nobody here can run."""

    hash: str
    text: bytes
    document: Document
    unknown_types: list[Problem]


class Directory:
    """All changes to the workflows of an installation."""

    def __init__(self, bus: Bus, catalog: Catalog, types: NodeTypes, clock: Clock) -> None:
        self._workflows = bus.bucket(WORKFLOWS)
        self._plans = bus.bucket(PLANS)
        self._claims = Claims(bus)
        self._catalog = catalog
        self._types = types
        self._clock = clock

    async def get(self, tenant: str, workflow: str) -> Stored:
        """The record as it is now, or 404."""
        entry = await self._workflows.get(workflow_key(tenant, workflow))
        if entry is None or entry.value is None:
            raise not_found(workflow)
        return Stored(workflow_record.decode(entry.value), entry.revision)

    async def document(self, key: str) -> dict[str, Any]:
        """The document with this content hash."""
        entry = await self._plans.get(key)
        if entry is None or entry.value is None:
            raise ProblemError(404, f"there is no document {key}")
        return decode(entry.value)

    async def save_document(self, raw: Any) -> Checked:
        """Check a document and store it under its hash; the 422 names all its problems."""
        checked = await asyncio.to_thread(checked_document, raw, self._types)
        if await self._plans.get(checked.hash) is None:
            await self._plans.put(checked.hash, checked.text)
        return checked

    async def create(self, tenant: str, raw: Any) -> Stored:
        """A new workflow, inactive, with one version."""
        checked = await self.save_document(raw)
        now_ms = self._clock.now_ms()
        record = WorkflowRecord(
            id=new_id(now_ms),
            tenant=tenant,
            name=_name(checked.document),
            versions=[Version(1, checked.hash, now_ms)],
            created_ms=now_ms,
            updated_ms=now_ms,
            problems=_problem_texts(checked),
            tags=_tags(checked.document),
            document_id=_document_id(checked.document),
        )
        key = workflow_key(tenant, record.id)
        revision = await self._workflows.create(key, workflow_record.encode(record))
        self._learn(key, record, revision)
        return Stored(record, revision)

    async def update(
        self, tenant: str, workflow: str, raw: Any, *, if_revision: int | None, publish: bool
    ) -> Stored:
        """A new version. While the workflow is active, `publish` makes it what triggers run."""
        await self.get(tenant, workflow)
        checked = await self.save_document(raw)

        async def change(record: WorkflowRecord) -> WorkflowRecord:
            if record.hash != checked.hash:
                version = Version(record.versions[-1].number + 1, checked.hash, self._now())
                record.versions.append(version)
            record.name = _name(checked.document)
            record.tags = _tags(checked.document)
            record.document_id = _document_id(checked.document) or record.document_id
            record.problems = _problem_texts(checked)
            if record.active_hash and publish:
                await self._make_active(record, checked)
            return record

        return await self._change(tenant, workflow, change, if_revision)

    async def activate(
        self, tenant: str, workflow: str, *, version: int = 0, if_revision: int | None = None
    ) -> Stored:
        """Let the triggers of a version (0: the newest) start executions."""

        async def change(record: WorkflowRecord) -> WorkflowRecord:
            chosen = version_of(record, version)
            document = await self.document(chosen.hash)
            checked = await asyncio.to_thread(checked_document, document, self._types)
            await self._make_active(record, checked)
            return record

        return await self._change(tenant, workflow, change, if_revision)

    async def deactivate(
        self, tenant: str, workflow: str, if_revision: int | None = None
    ) -> Stored:
        """Let nothing start it any more. What runs goes on."""

        async def change(record: WorkflowRecord) -> WorkflowRecord:
            _make_inactive(record)
            return record

        return await self._change(tenant, workflow, change, if_revision)

    async def delete(self, tenant: str, workflow: str, if_revision: int | None = None) -> None:
        """Deactivate and remove it. Its executions and documents stay readable."""
        key = workflow_key(tenant, workflow)
        for _ in range(TRIES):
            stored = await self.deactivate(tenant, workflow, if_revision)
            try:
                revision = await self._workflows.delete(key, stored.revision)
            except WrongLastSequenceError:
                continue  # it may be active again
            self._catalog.learn(KvEntry(key, None, revision))
            return
        raise _contended()

    async def _change(
        self, tenant: str, workflow: str, change: Change, if_revision: int | None
    ) -> Stored:
        """Compare-and-set `change`, again from the start when somebody else was faster."""
        key = workflow_key(tenant, workflow)
        for _ in range(TRIES):
            before, revision = await self.get(tenant, workflow)
            if if_revision is not None and if_revision != revision:
                raise ProblemError(
                    412, "the workflow was changed meanwhile", remedy="read it and try again"
                )
            released = list(before.webhooks)
            record = await change(before)
            record.updated_ms = self._now()
            try:
                revision = await self._workflows.update(
                    key, workflow_record.encode(record), revision
                )
            except WrongLastSequenceError:
                continue
            if record.active_hash and not await self._claims.are_held(record):
                await self._lost_a_path(key, record, revision)
            self._learn(key, record, revision)
            await self._claims.release(
                record, [route for route in released if route not in record.webhooks]
            )
            return Stored(record, revision)
        raise _contended()

    async def _lost_a_path(self, key: str, record: WorkflowRecord, revision: int) -> None:
        """Somebody took a path between claim and record: this activation did not happen."""
        _make_inactive(record)
        # Whoever changed it meanwhile has looked at the claims as well.
        with contextlib.suppress(WrongLastSequenceError):
            revision = await self._workflows.update(key, workflow_record.encode(record), revision)
            self._learn(key, record, revision)
        raise ProblemError(409, "another workflow took one of its paths", remedy="try again")

    async def _make_active(self, record: WorkflowRecord, checked: Checked) -> None:
        triggers = triggers_of(checked.document)
        problems = [
            *checked.unknown_types,
            *triggers.problems,
        ]
        if problems:
            raise ProblemError(
                422,
                "the workflow cannot be activated: " + "; ".join(str(p) for p in problems[:20]),
                problems=_entries(problems),
            )
        await self._claims.take(record, triggers.webhooks)
        record.active_hash = checked.hash
        record.activated_ms = record.activated_ms or self._now()
        record.webhooks = triggers.webhooks
        record.schedules = triggers.schedules

    def _learn(self, key: str, record: WorkflowRecord, revision: int) -> None:
        self._catalog.learn(KvEntry(key, workflow_record.encode(record), revision))

    def _now(self) -> int:
        return self._clock.now_ms()


def checked_document(raw: Any, types: NodeTypes) -> Checked:
    """Everything there is to find out about a document without running it. Called in a thread."""
    # A gateway that saves nothing needs no compiler: it costs 6 MB and takes a fifth of a second.
    from penstock.workflow.compile import (
        compile_document,
        expression_problems,
        unknown_type_problems,
        zone_problems,
    )

    document, problems = check(raw)
    problems += [*zone_problems(document), *expression_problems(document, types)]
    if problems:
        # What keeps it from being activated comes along: else it is the next round's news.
        found = {problem.path for problem in problems}
        later = [*unknown_type_problems(document, types), *triggers_of(document).problems]
        later = [p for p in later if p.path not in found and p.path != "nodes"]
        more = f"; {len(later)} more would keep it from being activated" if later else ""
        raise ProblemError(
            422,
            f"the document has {len(problems)} problem{'s' if len(problems) > 1 else ''}: "
            f"{problems[0]}{more}",
            remedy=problems[0].remedy,
            problems=_entries([*problems, *later]),
        )
    key = content_hash(raw)
    compile_document(raw, types, key=key)
    return Checked(key, encode(raw), document, unknown_type_problems(document, types))


def version_of(record: WorkflowRecord, number: int) -> Version:
    """The version with this number; 0: the newest."""
    for version in record.versions:
        if version.number == (number or record.versions[-1].number):
            return version
    raise ProblemError(404, f"the workflow {record.id} has no version {number}")


def not_found(workflow: str) -> ProblemError:
    """The 404 of workflows."""
    return ProblemError(404, f"there is no workflow {workflow[:80]!r}")


def _contended() -> ProblemError:
    return ProblemError(409, "others are changing this workflow", remedy="try again")


def _make_inactive(record: WorkflowRecord) -> None:
    record.active_hash = ""
    record.activated_ms = 0
    record.webhooks = []
    record.schedules = []


def _name(document: Document) -> str:
    return document.name.strip()[:NAME_LENGTH_MAX] or "untitled"


def _document_id(document: Document) -> str:
    found = document.raw.get("id")
    return str(found)[:NAME_LENGTH_MAX] if type(found) in (str, int) else ""


def _tags(document: Document) -> list[str]:
    tags = document.raw.get("tags")
    found = []
    for tag in tags if isinstance(tags, list) else ():
        name = tag.get("name") if isinstance(tag, dict) else tag
        if isinstance(name, str):
            found.append(name[:NAME_LENGTH_MAX])
    return found


def _problem_texts(checked: Checked) -> list[str]:
    """What people should know of a saved version. A missing trigger is no fault while editing."""
    triggers = triggers_of(checked.document)
    return [
        *(str(problem) for problem in checked.unknown_types),
        *(str(p) for p in triggers.problems if p.path != "nodes"),
    ]


def _entries(problems: list[Problem]) -> list[ProblemEntry]:
    return [ProblemEntry(p.path, p.message, p.remedy) for p in problems]
