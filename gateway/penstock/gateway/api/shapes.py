"""What the REST API takes and gives: Structs, from which the OpenAPI document is generated.

Times are milliseconds since the epoch. Fields are only ever added.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from penstock.gateway.problems import ProblemEntry
from penstock.subjects.views import ExecutionRow
from penstock.subjects.workflows import Version, WorkflowRecord, active_version

Limit = Annotated[int, Meta(ge=1, le=250, description="How many at most.")]
Cursor = Annotated[str, Meta(max_length=4_000, description="`next_cursor` of the page before.")]
Status = Literal["", "running", "waiting", "success", "error", "canceled"]


class WebhookView(msgspec.Struct, frozen=True):
    """An address that starts the workflow while it is active."""

    method: str
    url: str
    node: str


class WorkflowSummary(msgspec.Struct, kw_only=True):
    """A workflow without its document. `problems` keep it from being activated; `document_id` is
    the `id` in its document, if there is one."""

    id: str
    name: str
    active: bool
    version: int
    active_version: int | None
    created_ms: int
    updated_ms: int
    tags: list[str]
    problems: list[str]
    webhooks: list[WebhookView]
    schedules: list[str]
    document_id: str = ""


class WorkflowDetail(WorkflowSummary, kw_only=True):
    """A workflow with the document of its newest version."""

    document: dict[str, Any]


class WorkflowPage(msgspec.Struct, kw_only=True):
    """Workflows, newest first. `next_cursor` is empty on the last page."""

    workflows: list[WorkflowSummary]
    next_cursor: str = ""


class ListWorkflows(msgspec.Struct, kw_only=True, frozen=True):
    """Filters of the list of workflows; `name` is a part of the name, in any case."""

    limit: Limit = 50
    cursor: Cursor = ""
    active: bool | None = None
    name: str = ""
    tag: str = ""


class SaveOptions(msgspec.Struct, kw_only=True, frozen=True):
    """`publish`: while the workflow is active, the new version is at once what triggers run."""

    publish: bool = True


class ActivateOptions(msgspec.Struct, kw_only=True, frozen=True):
    """`version`: which one triggers run; 0 is the newest."""

    version: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class VersionView(msgspec.Struct, kw_only=True):
    """A saved version. `hash` is the content hash of its document."""

    number: int
    hash: str
    saved_ms: int
    active: bool


class VersionDetail(VersionView, kw_only=True):
    """A version with its document."""

    document: dict[str, Any]


class VersionList(msgspec.Struct, kw_only=True):
    """All versions of a workflow, newest first."""

    versions: list[VersionView]


class StartExecution(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Run a workflow by hand: a saved one (`workflow`, optionally a `version`), or `document`.

    `start` names the node to begin at; without it the document's trigger. `items` are what that
    node puts out: objects, or items with `json`.
    """

    workflow: Annotated[str, Meta(max_length=63)] = ""
    version: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    document: dict[str, Any] | None = None
    start: Annotated[str, Meta(max_length=500)] = ""
    items: Annotated[list[dict[str, Any]], Meta(max_length=10_000)] | None = None


class RetryExecution(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Try a failed execution again, with the version it ran with or the `latest`."""

    version: Literal["same", "latest"] = "same"


class ExecutionStarted(msgspec.Struct, kw_only=True):
    """An execution that is stored and will run."""

    id: str
    status: str = "running"


class ExecutionCanceled(msgspec.Struct, kw_only=True):
    """The request to cancel is stored; the execution ends with status `canceled`."""

    id: str
    status: str = "canceling"


class ListExecutionsQuery(msgspec.Struct, kw_only=True, frozen=True):
    """Filters of the list of executions."""

    limit: Limit = 50
    cursor: Cursor = ""
    workflow: Annotated[str, Meta(max_length=63)] = ""
    status: Status = ""
    since_ms: Annotated[int, Meta(ge=0, le=2**53)] = 0
    until_ms: Annotated[int, Meta(ge=0, le=2**53)] = 0


class ExecutionList(msgspec.Struct, kw_only=True):
    """Executions, newest first. `next_cursor` is empty on the last page."""

    executions: list[ExecutionRow]
    next_cursor: str = ""


class EventsQuery(msgspec.Struct, kw_only=True, frozen=True):
    """Which live events to see; empty: all of the tenant's."""

    workflow: Annotated[str, Meta(max_length=63)] = ""
    execution: Annotated[str, Meta(max_length=63)] = ""


class Limits(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A tenant's limits; -1 is without limit. Rates are per second, bursts in tokens. `waiting`:
    how many executions may wait for one of the `concurrency` slots before more are refused."""

    webhooks_per_s: float = -1
    webhooks_burst: int = -1
    executions_per_s: float = -1
    executions_burst: int = -1
    steps_per_s: float = -1
    steps_burst: int = -1
    concurrency: int = -1
    waiting: int = 10_000


class ProgramView(msgspec.Struct, kw_only=True):
    """A program that told of itself lately. `heard_ms_ago` grows when it dies, `problems` keep it
    from working, `isolation` is what a sandbox host has around user code: layers that are `active`
    or `missing` (and why), and what limits its processes (`groups`)."""

    kind: str
    id: str
    pid: int
    started_ms: int
    heard_ms_ago: int
    free: int
    owns: list[int]
    draining: bool
    problems: list[str] = []
    isolation: dict[str, Any] = {}


class PartitionView(msgspec.Struct, kw_only=True):
    """A partition and the actor host that owns it; empty while nobody does."""

    partition: int
    owner: str


class StreamView(msgspec.Struct, kw_only=True):
    """A stream of the broker. `problem` is set when it cannot be read."""

    name: str
    messages: int = 0
    bytes: int = 0
    first: int = 0
    last: int = 0
    consumers: int = 0
    problem: str = ""


class StatusView(msgspec.Struct, kw_only=True):
    """The installation as this gateway sees it. `history_lag` counts messages of EXEC that the
    history does not hold yet, up to the newest record; -1 when that is not known."""

    region: str
    gateway: str
    broker_connected: bool
    partitions: list[PartitionView]
    programs: list[ProgramView]
    streams: list[StreamView]
    workflows: int
    active_workflows: int
    history_lag: int


class Health(msgspec.Struct, kw_only=True):
    """Whether this gateway lives, or is ready to serve."""

    status: str
    problems: list[ProblemEntry] = []


def summary(record: WorkflowRecord, public_url: str) -> WorkflowSummary:
    """A record as the API shows it."""
    active = active_version(record)
    return WorkflowSummary(
        id=record.id,
        name=record.name,
        active=bool(record.active_hash),
        version=record.versions[-1].number,
        active_version=active.number if active else None,
        created_ms=record.created_ms,
        updated_ms=record.updated_ms,
        tags=record.tags,
        problems=record.problems,
        webhooks=[
            WebhookView(route.method, f"{public_url}/webhook/{route.path}", route.node)
            for route in record.webhooks
        ],
        schedules=record.schedules,
        document_id=record.document_id,
    )


def version_view(record: WorkflowRecord, version: Version) -> VersionView:
    """A version as the API shows it."""
    return VersionView(
        number=version.number,
        hash=version.hash,
        saved_ms=version.at_ms,
        active=version.hash == record.active_hash,
    )
