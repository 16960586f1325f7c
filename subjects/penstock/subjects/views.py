"""An execution as people see it: the one shape of live state, stored history and API answers.

A partition's owner makes it from the state of an open execution, the projector from the events of
an ended one, and the gateway serves either as it is. Node names stand where the engine has
indexes, since a view outlives the plan it was made from. JSON data: nothing here is evaluated.
"""

from typing import Any

import msgspec

from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Outputs

STATUSES = ("running", "waiting", "success", "error", "canceled")
ENDED = frozenset({"success", "error", "canceled"})


class SourceView(msgspec.Struct, frozen=True, gc=False):
    """Where one input of a run came from, by the node's name."""

    node: str
    output: int = 0
    run: int = 0


class NodeRunView(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """One run of one node. `index` numbers the runs of the execution in their order.
    `is_partial`: its outputs are left out, since the answer had no room for them."""

    index: int
    status: str
    finished_ms: int
    took_us: int = 0
    attempt: int = 1
    sources: list[SourceView | None] = []
    outputs: Outputs | None = None
    error: ErrorInfo | None = None
    is_partial: bool = False


class ExecutionRow(msgspec.Struct, kw_only=True, gc=False):
    """What a list shows of an execution. `waiting_for` says why it does not run (timer, signal,
    concurrency, …); times are 0 until they come. `workflow_name` is what the workflow is called
    now, empty when it is gone."""

    id: str
    tenant: str
    workflow: str
    plan: str
    mode: str
    status: str
    received_ms: int
    started_ms: int = 0
    finished_ms: int = 0
    waiting_for: str = ""
    until_ms: int = 0
    last_node: str = ""
    error: ErrorInfo | None = None
    retry_of: str = ""
    parent: str = ""
    workflow_name: str = ""


class ExecutionView(ExecutionRow, kw_only=True, gc=False):
    """All of an execution. `runs` are by node name, oldest first. `is_partial`: something is left
    out. The live state keeps only what later nodes may read; the rest is in the history once it
    has got there. And an answer has an end (32 MiB): of what is larger, the oldest runs go without
    their outputs (`is_partial` of the run), or are missing and only counted (`runs_left_out`)."""

    runs: dict[str, list[NodeRunView]] = {}
    custom: dict[str, Any] | None = None
    is_partial: bool = False
    runs_left_out: int = 0
