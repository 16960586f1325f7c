"""`apply`: the only thing that changes an execution, live and on replay alike.

Each event is an outcome; what follows from it (which node is next, which inputs wait) is worked
out here from state and event alone. So replay needs no node code, and a journal written by an
older version gives the same execution under a newer one as long as this file keeps its meaning.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from penstock.actors.execution.events import (
    Called,
    Event,
    Finished,
    Ran,
    Returned,
    Started,
    Tried,
    Waited,
    Woken,
)
from penstock.actors.execution.ordering import follow, move_on, settle
from penstock.actors.execution.state import RUNNING, Calls, Entry, Sleep, State
from penstock.sdk.pairing import paired_input
from penstock.subjects.messages import Outputs
from penstock.workflow.scope import Run


def apply(state: State, event: Event) -> None:
    """Change `state` by what happened."""
    _TRANSITIONS[type(event)](state, event)


def _started(state: State, event: Started) -> None:
    request = state.request
    state.status = RUNNING
    state.started_ms = event.at_ms
    if event.is_answered:
        state.answer_to = None
    start = state.plan.by_name.get(request.start, -1) if request.start else state.plan.start
    if start < 0:
        state.failure = (
            f"There is no node named {request.start!r} to start at"
            if request.start
            else "The workflow has no node to start at"
        )
        return
    state.stack.append(Entry(start, [request.items or [{"json": {}}]], []))
    settle(state)
    for earlier in msgspec.convert(request.seed, list[Event]) if request.seed else ():
        if isinstance(earlier, Ran) and not earlier.is_fatal:
            _ran(state, earlier)


def _ran(state: State, event: Ran) -> None:
    entry = state.stack[0]
    node = event.node
    assert entry.node == node, "the journal tells of another node than the one at the front"
    state.seq += 1
    state.attempt = 1
    state.retry_ms = 0
    state.calls = None
    if event.is_answered:
        state.answer_to = None
    if event.context is not None:
        state.contexts[node] = event.context
    if event.custom is not None:
        state.info.custom = event.custom
    if event.static is not None:
        state.static = event.static
    outputs = event.outputs
    if event.is_fatal:
        state.last = node
        state.last_outputs = []
        return
    if outputs is None:
        state.stack.pop(0)
        settle(state)
        return
    if event.same >= 0:
        outputs = list(outputs)
        outputs[event.same] = entry.inputs[0]
    put_out(state, entry, outputs)


def ran_plainly(state: State, entry: Entry, outputs: Outputs) -> None:
    """What `apply` does for a Ran that says nothing but the `outputs` of the front `entry`."""
    state.seq += 1
    put_out(state, entry, outputs)


def put_out(state: State, entry: Entry, outputs: Outputs) -> None:
    """Count a run of the front entry, remember it if some expression may ask for it, and bring who
    is next to the front."""
    node = entry.node
    run = state.counts[node]
    state.counts[node] = run + 1
    kept = state.plan.kept
    if kept is None or node in kept:
        state.runs.setdefault(node, []).append(Run(outputs, entry.sources))
    state.last = node
    state.last_outputs = outputs
    if not move_on(state, entry, outputs, run):
        state.stack.pop(0)
        follow(state, node, outputs, run)
        settle(state)


def _tried(state: State, event: Tried) -> None:
    state.attempt = event.attempt + 1
    state.retry_ms = event.retry_ms
    state.calls = None


def _waited(state: State, event: Waited) -> None:
    state.sleep = Sleep(event.until_ms, event.webhook)
    state.seq += 1
    state.attempt = 1
    if event.is_answered:
        state.answer_to = None


def _woken(state: State, event: Woken) -> None:
    entry = state.stack[0]
    entry.is_resumed = True
    if event.items is not None:
        entry.inputs = [paired_input(event.items, 0)]
    if event.reply is not None:
        state.answer_to = event.reply
        state.webhook = state.sleep.webhook if state.sleep else None
    state.sleep = None


def _called(state: State, event: Called) -> None:
    state.children_started += len(event.children)
    if event.call is not None:
        state.calls = Calls(event.call, event.children, event.paired)


def _returned(state: State, event: Returned) -> None:
    assert state.calls is not None
    state.calls.results.append((event.items, event.error))


def _finished(state: State, event: Finished) -> None:
    state.status = event.status
    state.error = event.error
    state.sleep = None
    state.calls = None
    state.retry_ms = 0
    state.answer_to = None


def outputs_of(event: Ran, entry: Entry) -> Outputs:
    """What a recorded run put out, with the items that only passed through."""
    outputs = list(event.outputs or ())
    if event.same >= 0:
        outputs[event.same] = entry.inputs[0]
    return outputs


_TRANSITIONS: dict[type, Callable[[State, Any], None]] = {
    Started: _started,
    Ran: _ran,
    Tried: _tried,
    Waited: _waited,
    Woken: _woken,
    Called: _called,
    Returned: _returned,
    Finished: _finished,
}
