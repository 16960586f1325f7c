"""The schedule actor: when the triggers of a workflow are due, and what to do when they were
missed. Pure.

Each due time is handled once, whoever owns the partition: `Fired` stands in the same record as
the start of its execution and moves the schedule on. What is older than a grace when it is noticed
(nobody owned the partition, the clock jumped) was missed, and the workflow's misfire policy says
what then: `skip` it, run `once` for all that were missed (the default), or run `all` of them.

A clock that goes back fires nothing twice: due times only move forward.
"""

import hashlib
from typing import Any, Literal, NamedTuple

import msgspec

from penstock.actors.journal import Armed, Disarmed, Entry, Fired
from penstock.nodes.schedule_rules import (
    InvalidScheduleError,
    ScheduleRule,
    next_due_ms,
    rules,
)
from penstock.subjects.ids import new_id, partition_of
from penstock.workflow.plan import Plan, PlanNode

GRACE_MS = 60_000
FIRES_MAX = 100
NEVER = -1

Misfire = Literal["skip", "once", "all"]


class Trigger(msgspec.Struct, array_like=True, gc=False):
    """One armed trigger node."""

    plan: str
    due_ms: int
    armed_ms: int = 0


class ScheduleState(msgspec.Struct, array_like=True, gc=False):
    """The armed triggers of one workflow, by node name."""

    tenant: str
    workflow: str
    triggers: dict[str, Trigger] = {}


class Fire(NamedTuple):
    """An execution to start for a due time."""

    node: PlanNode
    due_ms: int
    execution: str


def arm(state: ScheduleState, plan: Plan, nodes: list[str], since_ms: int) -> list[Entry]:
    """The workflow runs version `plan` from `since_ms` on: arm its trigger nodes."""
    entries: list[Entry] = []
    armed = {name: trigger.plan for name, trigger in state.triggers.items()}
    if armed == dict.fromkeys(nodes, plan.hash):
        return entries
    if state.triggers:
        entries.append(Disarmed(state.tenant, state.workflow))
    for name in nodes:
        due_ms = _next(plan, name, since_ms, since_ms)
        entries.append(Armed(state.tenant, state.workflow, name, plan.hash, due_ms, since_ms))
    for entry in entries:
        apply(state, entry)
    return entries


def disarm(state: ScheduleState) -> list[Entry]:
    """The workflow is off."""
    if not state.triggers:
        return []
    entry = Disarmed(state.tenant, state.workflow)
    apply(state, entry)
    return [entry]


def fire(
    state: ScheduleState, plan: Plan, name: str, now_ms: int, *, partition: tuple[int, int]
) -> tuple[list[Entry], list[Fire]]:
    """Handle what is due of one trigger. `partition` is (number, of how many)."""
    trigger = state.triggers.get(name)
    entries: list[Entry] = []
    fires: list[Fire] = []
    policy = misfire_policy(plan)
    has_caught_up = False
    while trigger is not None and NEVER < trigger.due_ms <= now_ms and len(entries) < FIRES_MAX:
        due_ms = trigger.due_ms
        is_missed = now_ms - due_ms > GRACE_MS
        next_ms = _next(plan, name, due_ms, trigger.armed_ms)
        execution = ""
        if not is_missed or policy == "all" or (policy == "once" and not has_caught_up):
            execution = execution_id(state, name, due_ms, partition)
            fires.append(Fire(plan.nodes[plan.by_name[name]], due_ms, execution))
        if is_missed and policy != "all":
            has_caught_up = True
            # One step over everything that was missed, however long that was.
            next_ms = _next(plan, name, now_ms - GRACE_MS, trigger.armed_ms)
        entry = Fired(state.tenant, state.workflow, name, due_ms, next_ms, execution)
        apply(state, entry)
        entries.append(entry)
    return entries, fires


def apply(state: ScheduleState, entry: Entry) -> None:
    """Change the state by what was journalled."""
    if isinstance(entry, Armed):
        state.triggers[entry.node] = Trigger(entry.plan, entry.due_ms, entry.since_ms)
    elif isinstance(entry, Fired):
        trigger = state.triggers.get(entry.node)
        if trigger is not None:
            trigger.due_ms = entry.next_ms
    elif isinstance(entry, Disarmed):
        state.triggers.clear()


def misfire_policy(plan: Plan) -> Misfire:
    """`document["penstock"]["misfire"]`, `once` when it says nothing that is known."""
    settings = plan.document.get("penstock")
    policy: Any = settings.get("misfire") if isinstance(settings, dict) else None
    return policy if policy in ("skip", "all") else "once"


def execution_id(state: ScheduleState, name: str, due_ms: int, partition: tuple[int, int]) -> str:
    """The id of the execution for a due time: always the same, and in this partition."""
    number, partitions = partition
    attempt = 0
    while True:
        text = f"{state.tenant}/{state.workflow}/{name}/{due_ms}/{attempt}"
        randomness = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        execution = new_id(due_ms, randomness)
        if partition_of(execution, partitions) == number:
            return execution
        attempt += 1


def _next(plan: Plan, name: str, after_ms: int, anchor_ms: int) -> int:
    """The next due time of a trigger node, NEVER when there is none."""
    index = plan.by_name.get(name, -1)
    if index < 0 or plan.nodes[index].disabled:
        return NEVER
    node = plan.nodes[index]
    due = [next_due_ms(rule, after_ms, plan.timezone, anchor_ms=anchor_ms) for rule in _rules(node)]
    return min((at_ms for at_ms in due if at_ms is not None), default=NEVER)


def _rules(node: PlanNode) -> list[ScheduleRule]:
    try:
        return rules(node.parameters, node.type, node.version)
    except InvalidScheduleError:
        return []  # activation has said so; a schedule that cannot be read is never due
