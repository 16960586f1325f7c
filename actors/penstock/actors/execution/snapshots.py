"""An execution as data, for snapshots: `load(plan, dump(state))` equals `state`.

Array-like: append fields at the end with a default; never reorder.
"""

from typing import Any

import msgspec

from penstock.actors.execution.state import Calls, Entry, Sleep, State
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Call, Item, Outputs, ReplyTo, RunRequest, RunView, Source
from penstock.workflow.plan import Plan
from penstock.workflow.scope import Run


class DumpedEntry(msgspec.Struct, array_like=True, gc=False):
    """An entry of the stack or of a waiting slot."""

    node: int
    inputs: list[list[Item] | None]
    sources: list[Source | None]
    is_resumed: bool = False


class DumpedSleep(msgspec.Struct, array_like=True, gc=False):
    """A wait at the front node."""

    until_ms: int
    webhook: dict[str, Any] | None


class DumpedCalls(msgspec.Struct, array_like=True, gc=False):
    """Calls of other workflows under way."""

    call: Call
    children: list[str]
    paired: bool
    results: list[tuple[Outputs | None, ErrorInfo | None]]


class Dumped(msgspec.Struct, array_like=True, gc=False):
    """A state. The request rebuilds what is derived from it."""

    request: RunRequest
    resume_url: str
    status: str
    started_ms: int
    stack: list[DumpedEntry]
    slots: list[list[DumpedEntry]]
    runs: dict[int, list[RunView]]
    counts: list[int]
    contexts: dict[int, dict[str, Any]]
    custom: dict[str, Any]
    seq: int
    attempt: int
    retry_ms: int
    sleep: DumpedSleep | None
    calls: DumpedCalls | None
    children_started: int
    last: int
    last_outputs: Outputs
    error: ErrorInfo | None
    failure: str
    answer_to: ReplyTo | None
    webhook: dict[str, Any] | None
    static: dict[str, Any] | None = None


def dump(state: State) -> Dumped:
    """The state as data. It shares the state's lists: encode it before going on."""
    sleep, calls = state.sleep, state.calls
    return Dumped(
        request=state.request,
        resume_url=state.info.resume_url,
        status=state.status,
        started_ms=state.started_ms,
        stack=[_dump_entry(entry) for entry in state.stack],
        slots=[[_dump_entry(slot) for slot in slots] for slots in state.slots.values()],
        runs={
            node: [RunView(run.outputs, run.sources) for run in runs]
            for node, runs in state.runs.items()
        },
        counts=state.counts,
        contexts=state.contexts,
        custom=state.info.custom,
        seq=state.seq,
        attempt=state.attempt,
        retry_ms=state.retry_ms,
        sleep=DumpedSleep(sleep.until_ms, sleep.webhook) if sleep else None,
        calls=DumpedCalls(calls.call, calls.children, calls.paired, calls.results)
        if calls
        else None,
        children_started=state.children_started,
        last=state.last,
        last_outputs=state.last_outputs,
        error=state.error,
        failure=state.failure,
        answer_to=state.answer_to,
        webhook=state.webhook,
        static=state.static,
    )


def load(plan: Plan, dumped: Dumped) -> State:
    """The state that was dumped, of an execution of `plan`."""
    state = State(plan, dumped.request)
    state.info.resuming = dumped.resume_url
    state.info.custom = dumped.custom
    state.stack = [_load_entry(entry) for entry in dumped.stack]
    state.slots = {slots[0].node: [_load_entry(s) for s in slots] for slots in dumped.slots}
    state.runs = {
        node: [Run(run.outputs, run.sources) for run in runs] for node, runs in dumped.runs.items()
    }
    if dumped.sleep is not None:
        state.sleep = Sleep(dumped.sleep.until_ms, dumped.sleep.webhook)
    if dumped.calls is not None:
        calls = dumped.calls
        state.calls = Calls(calls.call, calls.children, calls.paired)
        state.calls.results = calls.results
    for name in _AS_THEY_ARE:
        setattr(state, name, getattr(dumped, name))
    return state


_AS_THEY_ARE = (
    "status",
    "started_ms",
    "counts",
    "contexts",
    "seq",
    "attempt",
    "retry_ms",
    "children_started",
    "last",
    "last_outputs",
    "error",
    "failure",
    "answer_to",
    "webhook",
    "static",
)


def _dump_entry(entry: Entry) -> DumpedEntry:
    return DumpedEntry(entry.node, entry.inputs, entry.sources, entry.is_resumed)


def _load_entry(entry: DumpedEntry) -> Entry:
    return Entry(entry.node, entry.inputs, entry.sources, entry.is_resumed)
