"""The messages on Penstock's subjects. Decoding is validating.

Engine messages are msgpack arrays (fields by position): append fields at the end with a default,
never reorder, never reuse. `codec` frames them with a version and checks their size.
"""

from typing import Any

import msgspec

from penstock.subjects.errors import ErrorInfo

Item = dict[str, Any]
"""`{"json": {...}, "pairedItem"?: {"item": n, "input"?: n} | [...], "binary"?: {...}}`.

Plain JSON data. A binary entry is `{"id", "mimeType", "fileName"?, "fileExtension"?, "fileSize",
"bytes"}`, where `id` names a blob of the object store."""

Outputs = list[list[Item] | None]
"""Items by output index; `None` where that output was never produced."""


class Source(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Where one input of a run came from: output `output` of run `run` of node `node`."""

    node: int
    output: int = 0
    run: int = 0


class ReplyTo(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The gateway request that waits for an execution: subject token and number of the request."""

    gateway: str
    request: int


class RunRequest(msgspec.Struct, array_like=True, gc=False):
    """Start one execution. Travels in batches (`list[RunRequest]`) on `exec.<r>.<p>.in.run`.

    `plan` is the content hash of the document; `start` the name of the node to start at (empty:
    the document's start rule); `mode` one of manual, trigger, webhook, error, integrated, cli,
    retry. `items` are the start node's output (a trigger's items). `seed` are events of an
    earlier execution to begin from (retry), encoded as in the journal. `output` is the output of
    the start node on which `items` come out (a webhook node has one per method). `direct` is the
    number of the message that carried it straight to the owner first (0: none did).
    """

    execution: str
    tenant: str
    workflow: str
    plan: str
    start: str
    mode: str
    items: list[Item]
    received_ms: int
    reply: ReplyTo | None = None
    parent: str = ""
    retry_of: str = ""
    seed: list[Any] | None = None
    output: int = 0
    direct: int = 0


class DirectRuns(msgspec.Struct, array_like=True, gc=False):
    """Run requests whose callers wait, on `run.<r>.<p>`. A gateway numbers its messages to each
    partition 1, 2, 3 and so on, so that an owner can tell which it never got."""

    gateway: str
    number: int
    requests: list[RunRequest]


class Cancel(msgspec.Struct, array_like=True, tag="cancel", gc=False):
    """Stop an execution; it ends with status `canceled`."""

    execution: str
    reason: str = ""


class Resume(msgspec.Struct, array_like=True, tag="resume", gc=False):
    """Wake an execution that waits for a call (`/webhook-waiting/<execution>/<suffix>`)."""

    execution: str
    items: list[Item]
    suffix: str = ""
    method: str = "GET"
    reply: ReplyTo | None = None


class TenantLimits(msgspec.Struct, array_like=True, tag="limits", gc=False):
    """New limits of a tenant; -1 is without limit. Rates are per second, bursts in tokens.

    `concurrency` executions run at once, `waiting` more may wait for that; others are refused."""

    tenant: str
    webhooks_per_s: float = -1
    webhooks_burst: int = -1
    executions_per_s: float = -1
    executions_burst: int = -1
    steps_per_s: float = -1
    steps_burst: int = -1
    concurrency: int = -1
    waiting: int = 10_000


Signal = Cancel | Resume | TenantLimits
"""Travels in batches (`list[Signal]`) on `exec.<r>.<p>.in.signal`."""


class RunView(msgspec.Struct, array_like=True, gc=False):
    """One earlier run of a node, as a step's context carries it."""

    outputs: Outputs
    sources: list[Source | None]


class Step(msgspec.Struct, array_like=True, gc=False):
    """One run of one node, for a sandbox host. Travels in batches on `step.<r>.<tier>`.

    `seq` numbers the runs of the execution and, with `attempt`, is the idempotency key: a result
    counts only for the step that is outstanding. `runs` holds the earlier runs that the node's
    expressions may read (by node index); `contexts` the loop contexts by node index. `static` is
    the workflow's static data if the execution has written some (`static_data`).
    """

    execution: str
    tenant: str
    workflow: str
    plan: str
    mode: str
    node: int
    run: int
    seq: int
    attempt: int
    inputs: list[list[Item] | None]
    sources: list[Source | None]
    runs: dict[int, list[RunView]]
    contexts: dict[int, dict[str, Any]]
    now_ms: int
    timeout_ms: int
    partition: int
    resume_url: str = ""
    custom: dict[str, Any] | None = None
    static: dict[str, Any] | None = None


class Respond(msgspec.Struct, array_like=True, tag="respond", gc=False):
    """Answer the webhook request of this execution. `body` is the reply's bytes."""

    status: int
    headers: dict[str, str]
    body: bytes
    blob: str = ""


class Wait(msgspec.Struct, array_like=True, tag="wait", gc=False):
    """Put the execution to sleep until `until_ms` (-1: only a call wakes it).

    `webhook` holds how a call may resume it: `{"method", "suffix", "responseMode", ...}`.
    """

    until_ms: int
    webhook: dict[str, Any] | None = None


class Call(msgspec.Struct, array_like=True, tag="call", gc=False):
    """Run another workflow once per batch of items; its results become this node's output.

    `workflow` is an id to look up, or empty with `document` holding the workflow itself.
    `wait` false: start and go on with the input. `paired` true: results of batch i are paired
    with input item i (mode `each`), else results keep no pairing.
    """

    workflow: str
    batches: list[list[Item]]
    wait: bool = True
    document: dict[str, Any] | None = None
    paired: bool = False


Effect = Respond | Wait | Call


class Outcome(msgspec.Struct, array_like=True, gc=False):
    """What a run of a node came to.

    `outputs` None: the branch ends and no run is recorded. With `error` set and `outputs` not
    None, the node failed but its settings let the flow go on. `context` replaces the node's loop
    context; `custom` replaces the execution's custom data and `static` the
    workflow's static data. `is_retryable`: nothing was raised, but
    the first item out tells of an error, which counts as a failed try.
    """

    outputs: Outputs | None
    error: ErrorInfo | None = None
    effects: list[Effect] | None = None
    context: dict[str, Any] | None = None
    custom: dict[str, Any] | None = None
    logs: list[str] | None = None
    is_retryable: bool = False
    static: dict[str, Any] | None = None


class StepResult(msgspec.Struct, array_like=True, gc=False):
    """The outcome of a step. Travels in batches on `done.<r>.<p>`."""

    execution: str
    seq: int
    attempt: int
    outcome: Outcome
    host: str
    started_ms: int
    took_us: int


class Reply(msgspec.Struct, array_like=True, gc=False):
    """An execution's answer to the gateway request that waits. Batches on `reply.<gateway>`."""

    request: int
    execution: str
    status: int
    headers: dict[str, str]
    body: bytes
    blob: str = ""


class Heartbeat(msgspec.Struct, array_like=True, gc=False):
    """One program telling that it lives, on `hb.<kind>.<id>` each second or more often.

    `problems` are sentences about what keeps it from working, for people. `wedged` names streams
    that take no messages or do not give them back, though the broker is connected. `isolation` is
    a sandbox host's: the layers around user code that are `active` and `missing` (with the reason),
    and what limits its processes (`groups`)."""

    kind: str
    id: str
    pid: int
    started_ms: int
    free: int = 0
    owns: list[int] = []
    draining: bool = False
    problems: list[str] = []
    wedged: list[str] = []
    isolation: dict[str, Any] = {}
