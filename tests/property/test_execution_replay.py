"""For all workflows and all orders of results: replay gives the same state, and so does a dump.

Executions are driven with drawn outcomes (items, errors, nothing) for everything outside of the
core: remote steps, timers, calls, signals. After every turn, a new state fed with the events so
far must equal the live one; and an execution that was dumped and loaded at any point must come to
the same end as one that was not.
"""

from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.actors.execution import core, running
from penstock.actors.execution.effects import CoreEffect, Dispatch, SetTimer, StartChild
from penstock.actors.execution.events import Event
from penstock.actors.execution.snapshots import Dumped
from penstock.actors.execution.state import State
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Cancel, Outcome, Resume, StepResult
from penstock.workflow.plan import Plan
from tests.unit.engine.workflows import NOW_MS, node, plan_of, request

TURNS_MAX = 30
ITEMS_MAX = 200
_encode = msgspec.msgpack.Encoder().encode

kinds = st.sampled_from(["pass", "remote", "gate", "join", "counter", "sleeper", "caller", "fails"])
node_settings = st.fixed_dictionaries(
    {},
    optional={
        "onError": st.sampled_from(["continueRegularOutput", "continueErrorOutput"]),
        "retryOnFail": st.just(True),
        "disabled": st.booleans(),
        "executeOnce": st.booleans(),
        "alwaysOutputData": st.booleans(),
        "to": st.integers(0, 1),
        "ms": st.sampled_from([-1, 100]),
        "webhook": st.just({"method": "GET"}),
        "each": st.booleans(),
        "wait": st.booleans(),
    },
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A workflow of up to seven nodes with wires in any direction, loops included."""
    count = draw(st.integers(1, 6))
    nodes = [node("0", "trigger")]
    for name in range(1, count + 1):
        y = draw(st.integers(0, 3)) * 100
        nodes.append(node(str(name), draw(kinds), y, **draw(node_settings)))
    anywhere = st.integers(1, count)
    wires = [f"0 > {draw(anywhere)}"]
    for _ in range(draw(st.integers(1, 8))):
        output, number = draw(st.integers(0, 2)), draw(st.integers(0, 1))
        wires.append(f"{draw(anywhere)}.{output} > {draw(anywhere)}.{number}")
    return plan_of(nodes, *wires, order=draw(st.sampled_from(["v0", "v1"])))


def outcomes(draw: st.DrawFn) -> Outcome:
    choice = draw(st.sampled_from(["items", "items", "two", "none", "empty", "error"]))
    if choice == "error":
        return Outcome(outputs=None, error=ErrorInfo(message="drawn"))
    if choice == "none":
        return Outcome(outputs=None)
    items = [{"json": {"n": n}} for n in range(draw(st.integers(1, 3)))]
    return Outcome(outputs=[[] if choice == "empty" else items, items if choice == "two" else []])


def respond(draw: st.DrawFn, state: State, effects: list[CoreEffect], now_ms: int) -> core.Turn:
    """Answer one of an execution's wishes with something drawn."""
    effect = effects[-1] if effects else None
    if isinstance(effect, Dispatch):
        step = effect.step
        result = StepResult(step.execution, step.seq, step.attempt, outcomes(draw), "h", now_ms, 1)
        return core.on_result(state, result, now_ms)
    if isinstance(effect, SetTimer):
        return core.on_timer(state, effect.kind, effect.token, now_ms)
    if isinstance(effect, StartChild):
        outcome = outcomes(draw)
        return core.on_return(state, effect.child, outcome.outputs, outcome.error, now_ms)
    if state.sleep is None or state.sleep.webhook is None:
        return core.on_signal(state, Cancel(state.info.id), now_ms)
    resume = Resume(state.info.id, [{"json": {"called": True}}])
    return core.on_signal(state, resume, now_ms)


def replayed(plan: Plan, events: list[Event]) -> State:
    state = core.new_state(plan, request({"x": 1}, {"x": 2}))
    for event in msgspec.msgpack.decode(_encode(events), type=list[Event]):
        core.apply(state, event)
    return state


def stored(plan: Plan, state: State) -> State:
    return core.load(plan, msgspec.msgpack.decode(_encode(core.dump(state)), type=Dumped))


def as_data(state: State) -> Any:
    return msgspec.msgpack.decode(_encode(core.dump(state)))


def is_too_big(state: State) -> bool:
    """Whether a drawn loop multiplies its items; such runs show nothing new and never end."""
    return sum(len(items or ()) for entry in state.stack for items in entry.inputs) > ITEMS_MAX


@given(plan=plans(), data=st.data())
@settings(max_examples=150, deadline=None)
def test_replay_and_snapshots_give_the_state_that_was_lived(
    plan: Plan, data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "INLINE_STEPS_MAX", 10)
        drive(plan, cast(st.DrawFn, data.draw))


def drive(plan: Plan, draw: st.DrawFn) -> None:
    """Run to the end, or until it is too much, checking after every turn."""
    state = core.new_state(plan, request({"x": 1}, {"x": 2}))
    other = core.new_state(plan, request({"x": 1}, {"x": 2}))
    turn = core.start(state, NOW_MS)
    core.start(other, NOW_MS)
    events = list(turn.events)

    for step in range(1, TURNS_MAX):
        now_ms = NOW_MS + step * 10_000
        assert as_data(replayed(plan, events)) == as_data(state)
        assert as_data(other) == as_data(state)
        if state.is_finished or is_too_big(state):
            break
        other = stored(plan, other)
        if turn.more:
            turn = core.advance(state, now_ms)
            core.advance(other, now_ms)
        else:
            wishes = core.outstanding(state, now_ms)
            assert len(core.outstanding(other, now_ms)) == len(wishes)
            turn = respond(draw, state, wishes, now_ms)
            assert turn.events or turn.effects, "an execution stands still"
            for event in msgspec.msgpack.decode(_encode(turn.events), type=list[Event]):
                core.apply(other, event)
        events += turn.events
