"""The workflow directory: what exists, what is active, and what starts it.

The truth about workflows is in two buckets: `plans` holds documents by content hash (immutable),
`workflows` holds one record per workflow under `<tenant>.<id>`. Gateways and actor hosts watch
`workflows`, so activating is one compare-and-set of one record and no database is needed to
route a webhook or to fire a schedule. `routes` holds claims (`<tenant>.<method>.<path hash>` to
workflow id) so that two workflows cannot own one path.
"""

from typing import Any

import msgspec

from penstock.subjects.codec import Codec

WORKFLOWS, PLANS, ROUTES = "workflows", "plans", "routes"


class Version(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A saved version: its number (from 1), the hash of its document, when it was saved."""

    number: int
    hash: str
    at_ms: int


class WebhookRoute(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A path that starts the active version. `path` has no slash at its ends; `:name` segments
    are parameters. `node` is the webhook node's name. `settings` are the node's parameters and
    `typeVersion`, as far as a gateway needs them, so that it routes without the document.
    `is_claimed` false: a second way to the same node, which any claimed path goes before. `output`
    is the node's output for this method."""

    method: str
    path: str
    node: str
    settings: dict[str, Any] = {}
    is_claimed: bool = True
    output: int = 0


class WorkflowRecord(msgspec.Struct, array_like=True, gc=False):
    """One workflow. `active_hash` is empty when inactive; else the version that triggers run.

    `problems` are what keeps it from being activated (unknown node types, …), for people.
    `schedules` are the names of its schedule, cron and interval trigger nodes.
    `document_id` is the `id` that its document brought along, by which documents exported together
    call each other; empty: none.
    """

    id: str
    tenant: str
    name: str
    versions: list[Version]
    created_ms: int
    updated_ms: int
    active_hash: str = ""
    activated_ms: int = 0
    webhooks: list[WebhookRoute] = []
    schedules: list[str] = []
    problems: list[str] = []
    tags: list[str] = []
    archived: bool = False
    document_id: str = ""

    @property
    def hash(self) -> str:
        """The hash of the newest version."""
        return self.versions[-1].hash


workflow_record: Codec[WorkflowRecord] = Codec(WorkflowRecord)
"""How the entries of the `workflows` bucket are written."""


def workflow_key(tenant: str, workflow: str) -> str:
    """The key of a workflow in the `workflows` bucket."""
    return f"{tenant}.{workflow}"


def active_version(record: WorkflowRecord) -> Version | None:
    """The version that triggers run, `None` while inactive."""
    return next((v for v in record.versions if v.hash == record.active_hash), None)
