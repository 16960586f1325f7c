"""Replay: from an execution's recorded events to what people read of it.

The journal holds outcomes only; which input a run had, and what it passed through unchanged,
follows from the plan. So the same `apply` that an owner uses is walked along the events here, and
each run is looked at in the moment before it changes the state. No node code runs.
"""

import logging
from collections.abc import Iterator
from typing import Any

import msgspec

from penstock.actors.execution.events import Event, Ran, Started
from penstock.actors.execution.state import State
from penstock.actors.execution.transitions import apply, outputs_of
from penstock.actors.history.rows import Row
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Outputs, RunRequest, Source
from penstock.subjects.views import ExecutionRow, ExecutionView, NodeRunView, SourceView
from penstock.workflow.plan import Plan

log = logging.getLogger("penstock.projector")

_decode_error = msgspec.json.Decoder(ErrorInfo).decode
_decode_body = msgspec.msgpack.Decoder(tuple[RunRequest | None, list[list[Event]]]).decode


class Recording:
    """An execution's request and events, as its bodies hold them."""

    def __init__(self, request: RunRequest, events: list[Event]) -> None:
        self.request = request
        self.events = events


def recording_of(bodies: list[bytes]) -> Recording | None:
    """Read an execution's bodies, in order; None when nothing has happened yet."""
    request: RunRequest | None = None
    events: list[Event] = []
    for body in bodies:
        carried, arrays = _decode_body(body)
        request = request or carried
        for array in arrays:
            events.extend(array)
    if events and isinstance(events[0], Started):
        request = events[0].request or request
    return None if request is None else Recording(request, events)


def row_view(row: Row, plan: Plan | None) -> ExecutionRow:
    """What a list shows of a row. Without its plan, the last node's name is not known."""
    return ExecutionRow(**_shared(row, plan))


def execution_view(row: Row, recording: Recording | None, plan: Plan | None) -> ExecutionView:
    """All of an execution, as far as it has been recorded."""
    view = ExecutionView(**_shared(row, plan))
    if recording is None or plan is None:
        view.is_partial = recording is not None
        return view
    state = State(plan, recording.request)
    try:
        for name, run in _runs(state, recording):
            view.runs.setdefault(name, []).append(run)
    except (AssertionError, LookupError):
        # Events that do not fit the plan: what could be read up to there is worth showing.
        log.exception("the recording of %s does not fit its plan", row.id)
        view.is_partial = True
    view.custom = state.info.custom or None
    return view


def _shared(row: Row, plan: Plan | None) -> dict[str, Any]:
    # The name is whoever's that serves the view: it is what the workflow is called by then.
    names = [name for name in ExecutionRow.__struct_fields__ if name != "workflow_name"]
    fields = {name: getattr(row, name) for name in names}
    fields["error"] = _decode_error(row.error) if row.error else None
    is_known = plan is not None and 0 <= row.last_node < len(plan.nodes)
    fields["last_node"] = plan.nodes[row.last_node].name if plan is not None and is_known else ""
    return fields


def _runs(state: State, recording: Recording) -> Iterator[tuple[str, NodeRunView]]:
    """Every run in its order, with the name of its node."""
    index = 0
    for event in _with_seed(state, recording):
        if isinstance(event, Ran) and (event.outputs is not None or event.is_fatal):
            yield state.plan.nodes[event.node].name, _run(state, event, index)
            index += 1
        apply(state, event)


def _with_seed(state: State, recording: Recording) -> Iterator[Event]:
    """The events, with those of an earlier execution that a retry begins from laid open."""
    seed = msgspec.convert(recording.request.seed or [], list[Event])
    if seed:
        state.request = msgspec.structs.replace(recording.request, seed=None)
    for event in recording.events:
        yield event
        if isinstance(event, Started):
            yield from (e for e in seed if isinstance(e, Ran) and not e.is_fatal)


def _run(state: State, event: Ran, index: int) -> NodeRunView:
    entry = state.stack[0]
    outputs: Outputs | None = None if event.is_fatal else outputs_of(event, entry)
    return NodeRunView(
        index=index,
        status="error" if event.error is not None else "success",
        finished_ms=event.at_ms,
        took_us=event.took_us,
        attempt=event.attempt,
        sources=[_source(state.plan, source) for source in entry.sources],
        outputs=outputs,
        error=event.error,
    )


def _source(plan: Plan, source: Source | None) -> SourceView | None:
    if source is None:
        return None
    return SourceView(plan.nodes[source.node].name, source.output, source.run)
