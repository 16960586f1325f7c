"""Endpoints of workflows. Lists come from memory, everything else from the bucket itself."""

import re

from penstock.gateway.api.endpoint import ApiCall, Result
from penstock.gateway.api.shapes import (
    VersionDetail,
    VersionList,
    WorkflowDetail,
    WorkflowPage,
    WorkflowSummary,
    summary,
    version_view,
)
from penstock.gateway.directory import Stored, not_found, version_of
from penstock.gateway.problems import Headers, ProblemError
from penstock.subjects.workflows import WorkflowRecord

_ID = re.compile(r"[0-9a-z-]{1,63}", re.ASCII)


async def create(call: ApiCall) -> Result:
    stored = await call.parts.directory.create(call.tenant, call.body)
    location = f"/api/v1/workflows/{stored.record.id}".encode()
    return Result(_summary(call, stored), [*_tag(stored), (b"location", location)])


async def list_all(call: ApiCall) -> WorkflowPage:
    query = call.query
    if query.cursor and _ID.fullmatch(query.cursor) is None:
        raise ProblemError(400, "the cursor is none that this API gave out")
    records = [
        known.record
        for known in call.parts.catalog.of(call.tenant)
        if _passes(known.record, query.active, query.name, query.tag)
        and (not query.cursor or known.record.id < query.cursor)
    ]
    # Ids begin with their time, so this is newest first and stays so between pages.
    records.sort(key=lambda record: record.id, reverse=True)
    page = records[: query.limit]
    return WorkflowPage(
        workflows=[summary(record, call.parts.public_url) for record in page],
        next_cursor=page[-1].id if len(records) > len(page) else "",
    )


async def read(call: ApiCall) -> Result:
    stored = await call.parts.directory.get(call.tenant, _id(call))
    document = await call.parts.directory.document(stored.record.hash)
    short = summary(stored.record, call.parts.public_url)
    fields = {name: getattr(short, name) for name in WorkflowSummary.__struct_fields__}
    return Result(WorkflowDetail(document=document, **fields), _tag(stored))


async def update(call: ApiCall) -> Result:
    stored = await call.parts.directory.update(
        call.tenant,
        _id(call),
        call.body,
        if_revision=call.if_revision,
        publish=call.query.publish,
    )
    return Result(_summary(call, stored), _tag(stored))


async def delete(call: ApiCall) -> None:
    await call.parts.directory.delete(call.tenant, _id(call), call.if_revision)


async def activate(call: ApiCall) -> Result:
    stored = await call.parts.directory.activate(
        call.tenant, _id(call), version=call.query.version, if_revision=call.if_revision
    )
    return Result(_summary(call, stored), _tag(stored))


async def deactivate(call: ApiCall) -> Result:
    stored = await call.parts.directory.deactivate(call.tenant, _id(call), call.if_revision)
    return Result(_summary(call, stored), _tag(stored))


async def versions(call: ApiCall) -> VersionList:
    record = (await call.parts.directory.get(call.tenant, _id(call))).record
    return VersionList(versions=[version_view(record, v) for v in reversed(record.versions)])


async def version(call: ApiCall) -> VersionDetail:
    record = (await call.parts.directory.get(call.tenant, _id(call))).record
    number = call.path["number"]
    if re.fullmatch(r"[1-9][0-9]{0,8}", number, re.ASCII) is None:
        raise ProblemError(404, f"there is no version {number[:80]!r}")
    chosen = version_of(record, int(number))
    view = version_view(record, chosen)
    return VersionDetail(
        number=view.number,
        hash=view.hash,
        saved_ms=view.saved_ms,
        active=view.active,
        document=await call.parts.directory.document(chosen.hash),
    )


def _id(call: ApiCall) -> str:
    workflow = call.path["id"]
    if _ID.fullmatch(workflow) is None:
        raise not_found(workflow)
    return workflow


def _passes(record: WorkflowRecord, active: bool | None, name: str, tag: str) -> bool:
    return (
        (active is None or active == bool(record.active_hash))
        and name.lower() in record.name.lower()
        and (not tag or tag in record.tags)
    )


def _summary(call: ApiCall, stored: Stored) -> WorkflowSummary:
    return summary(stored.record, call.parts.public_url)


def _tag(stored: Stored) -> Headers:
    return [(b"etag", f'"{stored.revision}"'.encode())]
