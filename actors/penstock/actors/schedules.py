"""The schedules of one partition: armed by what the workflow directory says, fired by timers.

A schedule lives in the partition of `schedule/<tenant>/<workflow>`, and the executions that it
fires get ids that fall into the same partition, so that firing and starting are one append.
"""

from typing import Any

import msgspec

from penstock.actors import schedule
from penstock.actors.journal import Armed, Disarmed, Fired
from penstock.actors.mailbox import Envelope
from penstock.actors.schedule import Fire, ScheduleState
from penstock.actors.starts import Around, Starts
from penstock.actors.timers import Timers
from penstock.actors.wakeup import Wakeup
from penstock.nodes.schedule import fired_item
from penstock.subjects.ids import partition_of
from penstock.subjects.messages import RunRequest
from penstock.subjects.workflows import WorkflowRecord
from penstock.workflow.plan import Plan


class WorkflowChanged(msgspec.Struct, frozen=True):
    """The directory says something new of a workflow."""

    tenant: str
    workflow: str


class Due(msgspec.Struct, frozen=True):
    """A trigger is due. `address` is `<tenant>/<workflow>`."""

    address: str
    node: str


class Schedules:
    """See the module's text. `timers` are those of the schedules alone, keyed by address."""

    def __init__(self, around: Around, wakeup: Wakeup, starts: Starts, place: tuple[int, int]):
        self.timers = Timers()
        self._around = around
        self._wakeup = wakeup
        self._starts = starts
        self._place = place
        self._states: dict[str, ScheduleState] = {}

    def on_directory(self, key: str, record: WorkflowRecord | None) -> None:
        """A hook of the directory: note what concerns this partition."""
        tenant, _, workflow = key.partition(".")
        address = f"{tenant}/{workflow}"
        number, partitions = self._place
        if partition_of(f"schedule/{address}", partitions) != number:
            return
        is_on = record is not None and bool(record.schedules) and bool(record.active_hash)
        if is_on or address in self._states:
            message = WorkflowChanged(tenant, workflow)
            self._around.mailbox.put_under_way(tenant, Envelope(message))
            self._around.wake()

    def on_changed(self, message: WorkflowChanged, envelope: Envelope) -> None:
        """Arm or disarm."""
        state = self._of(message.tenant, message.workflow)
        # What holds now: while its plan was loading the workflow may have been turned off.
        record = self._active(message.tenant, message.workflow)
        if record is None:
            self._wakeup.entries.extend(schedule.disarm(state))
            self.timers.cancel(f"{message.tenant}/{message.workflow}")
            return
        plan = self._plan(record.active_hash, message.tenant, envelope)
        if plan is None:
            return
        # A version published while the workflow was active missed nothing before it was there.
        since_ms = max(record.activated_ms, record.updated_ms) or self._wakeup.now_ms
        self._wakeup.entries.extend(schedule.arm(state, plan, record.schedules, since_ms))
        self._set_timers(state)

    def on_due(self, message: Due, envelope: Envelope) -> None:
        """Fire what is due."""
        state = self._states.get(message.address)
        trigger = state.triggers.get(message.node) if state is not None else None
        if state is None or trigger is None:
            return
        if self._active(state.tenant, state.workflow) is None:
            # Turned off or deleted while nobody owned the partition: nothing else will tell.
            self.on_changed(WorkflowChanged(state.tenant, state.workflow), envelope)
            return
        plan = self._plan(trigger.plan, state.tenant, envelope)
        if plan is None:
            return
        now_ms = self._wakeup.now_ms
        entries, fires = schedule.fire(state, plan, message.node, now_ms, partition=self._place)
        self._wakeup.entries.extend(entries)
        self._wakeup.transitions += len(entries)
        for each in fires:
            if not self._around.table.knows(each.execution):
                self._starts.take(_request(state, plan, each), is_written=False)
        self._set_timers(state)

    def put_due(self, now_ms: int) -> None:
        """Put what is due into the mailbox."""
        for due in self.timers.due(now_ms):
            state = self._states.get(due.execution)
            for node, trigger in list(state.triggers.items()) if state is not None else ():
                if schedule.NEVER < trigger.due_ms <= now_ms:
                    message = Due(due.execution, node)
                    self._around.mailbox.put_under_way("", Envelope(message))

    def replay(self, entry: Armed | Fired | Disarmed) -> None:
        """Apply one entry of the journal."""
        schedule.apply(self._of(entry.tenant, entry.workflow), entry)

    def set_all_timers(self) -> None:
        """After a takeover."""
        for state in self._states.values():
            self._set_timers(state)

    def dump(self) -> list[Any]:
        """For the snapshot."""
        return [state for state in self._states.values() if state.triggers]

    def load(self, dumped: Any) -> None:
        """From the snapshot."""
        for state in msgspec.convert(dumped, list[ScheduleState]):
            self._states[f"{state.tenant}/{state.workflow}"] = state

    def _active(self, tenant: str, workflow: str) -> WorkflowRecord | None:
        """The workflow if its schedules are on."""
        record = self._around.directory.get(tenant, workflow)
        if record is None or record.archived or not record.active_hash or not record.schedules:
            return None
        return record

    def _of(self, tenant: str, workflow: str) -> ScheduleState:
        address = f"{tenant}/{workflow}"
        state = self._states.get(address)
        if state is None:
            state = self._states[address] = ScheduleState(tenant, workflow, {})
        return state

    def _set_timers(self, state: ScheduleState) -> None:
        address = f"{state.tenant}/{state.workflow}"
        due = [t.due_ms for t in state.triggers.values() if t.due_ms != schedule.NEVER]
        if due:
            self.timers.set(address, min(due), "wait", 0)
        else:
            self.timers.cancel(address)

    def _plan(self, key: str, tenant: str, envelope: Envelope) -> Plan | None:
        """The plan, or None: the message comes again when it is there."""
        plan = self._around.plans.get(key)
        if plan is not None:
            return plan

        def loaded(found: Plan | str) -> None:
            if not isinstance(found, str):
                self._around.mailbox.put_under_way(tenant, envelope)
                self._around.wake()

        self._around.plans.want(key, loaded)
        return None


def _request(state: ScheduleState, plan: Plan, each: Fire) -> RunRequest:
    return RunRequest(
        execution=each.execution,
        tenant=state.tenant,
        workflow=state.workflow,
        plan=plan.hash,
        start=each.node.name,
        mode="trigger",
        items=[fired_item(each.node.type, each.due_ms, plan.timezone)],
        received_ms=each.due_ms,
    )
