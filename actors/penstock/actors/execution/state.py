"""What an execution is at one moment: its stack, what waits, what it must remember.

Only `transitions.apply` changes a State, so that replaying its events gives it again. It holds
the frontier: items about to be processed, and earlier runs only of nodes that some expression
may still look at (`Plan.kept`).
"""

import zlib
from typing import Any

import msgspec

from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Call, Item, Outputs, ReplyTo, RunRequest, Source
from penstock.workflow.plan import Plan
from penstock.workflow.scope import ExecutionInfo, ResumeUrl, Run, unsigned

RUNNING = "running"


class Entry(msgspec.Struct, eq=False, gc=False):
    """A node about to run, or one that still waits for some of its inputs (`None`)."""

    node: int
    inputs: list[list[Item] | None]
    sources: list[Source | None]
    is_resumed: bool = False


class Sleep:
    """A wait at the front node: until a time (-1: none), or a call as `webhook` describes."""

    __slots__ = ("until_ms", "webhook")

    def __init__(self, until_ms: int, webhook: dict[str, Any] | None) -> None:
        self.until_ms = until_ms
        self.webhook = webhook


class Calls:
    """The front node's calls of other workflows: `results` are those that came back."""

    __slots__ = ("call", "children", "paired", "results")

    def __init__(self, call: Call, children: list[str], paired: bool) -> None:
        self.call = call
        self.children = children
        self.paired = paired
        self.results: list[tuple[Outputs | None, ErrorInfo | None]] = []


class State:
    """See the module's text.

    `static` is the workflow's static data if this execution has written some.
    `seq` counts the runs; with `attempt` it names the step that is outstanding. `counts[n]` are
    the runs of node `n`. `sent_seq` is the step that this process has dispatched already: it is
    no part of the execution and is not stored.
    """

    __slots__ = (
        "answer_to",
        "attempt",
        "calls",
        "children_started",
        "contexts",
        "counts",
        "error",
        "failure",
        "info",
        "last",
        "last_outputs",
        "plan",
        "request",
        "retry_ms",
        "runs",
        "salt",
        "sent_seq",
        "seq",
        "sleep",
        "slots",
        "stack",
        "started_ms",
        "static",
        "status",
        "webhook",
    )

    def __init__(self, plan: Plan, request: RunRequest, resume_url: ResumeUrl = unsigned) -> None:
        self.plan = plan
        self.request = request
        self.info = ExecutionInfo(
            id=request.execution,
            mode=request.mode,
            workflow_id=request.workflow,
            workflow_active=request.mode not in ("manual", "cli"),
            tenant=request.tenant,
            resuming=resume_url,
        )
        self.status = ""
        self.started_ms = 0
        self.stack: list[Entry] = []
        self.slots: dict[int, list[Entry]] = {}
        self.runs: dict[int, list[Run]] = {}
        self.counts = [0] * len(plan.nodes)
        self.contexts: dict[int, dict[str, Any]] = {}
        self.seq = 0
        self.attempt = 1
        self.retry_ms = 0
        self.sleep: Sleep | None = None
        self.calls: Calls | None = None
        self.children_started = 0
        self.last = -1
        self.last_outputs: Outputs = []
        self.error: ErrorInfo | None = None
        self.failure = ""
        self.answer_to: ReplyTo | None = request.reply
        self.webhook: dict[str, Any] | None = None
        self.static: dict[str, Any] | None = None
        self.salt = zlib.crc32(request.execution.encode())
        self.sent_seq = (0, 0)

    @property
    def is_finished(self) -> bool:
        """Whether the execution came to its end."""
        return self.status not in ("", RUNNING)

    @property
    def waiting(self) -> str:
        """What the execution waits for: timer, signal, retry, call, step, or nothing."""
        if self.status != RUNNING:
            return ""
        if self.sleep is not None:
            return "signal" if self.sleep.until_ms < 0 else "timer"
        if self.calls is not None:
            return "call"
        if self.sent_seq == (self.seq, self.attempt):
            return "step"
        return "retry" if self.retry_ms else ""

    @property
    def last_node(self) -> str:
        """The name of the node that ran last."""
        return self.plan.nodes[self.last].name if self.last >= 0 else ""
