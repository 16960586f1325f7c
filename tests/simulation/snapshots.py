"""What a snapshot holds of schedules and tenants is what the journal says up to its position.

Owners act on a snapshot only after a takeover, and what was decided but never stored is missing
only then. So it is not waited for that: each snapshot is compared when its head is stored.
"""

from typing import Any

import msgspec

from penstock.actors import schedule
from penstock.actors.journal import Armed, Disarmed, Fired, Leased, Limited, Record
from penstock.actors.schedule import ScheduleState
from penstock.actors.snapshot import HEAD
from penstock.actors.tenant import Tenants, TenantState
from penstock.subjects.memory_broker import MemoryBroker, Stored
from tests.simulation.ledger import Ledger

Told = dict[str, Any]


class SnapshotAudit:
    """Follows the journal by itself; what is wrong goes to the ledger's problems."""

    def __init__(self, broker: MemoryBroker, ledger: Ledger, partitions: int) -> None:
        self._ledger = ledger
        self._schedules: list[dict[str, ScheduleState]] = [{} for _ in range(partitions)]
        self._tenants = [Tenants() for _ in range(partitions)]
        self._told: list[list[tuple[int, Told]]] = [[(0, {})] for _ in range(partitions)]
        """What the journal says, from which sequence on."""
        ledger.on_record = self._on_record
        broker.stream("SNAP").listeners.append(self._on_snapshot)

    def _on_record(self, number: int, sequence: int, record: Record) -> None:
        schedules, has_changed = self._schedules[number], False
        for entry in record.entries:
            if isinstance(entry, Armed | Fired | Disarmed):
                state = ScheduleState(entry.tenant, entry.workflow, {})
                schedule.apply(schedules.setdefault(entry.workflow, state), entry)
                has_changed = True
            elif isinstance(entry, Limited | Leased):
                self._tenants[number].apply(entry)
                has_changed = True
        if has_changed:
            told = _told(list(schedules.values()), self._tenants[number].dump())
            self._told[number].append((sequence, told))

    def _on_snapshot(self, stored: Stored) -> None:
        _, _, partition, kind = stored.message.subject.split(".", 3)
        if kind != "head":
            return
        head = HEAD.decode(stored.message.payload)
        actors = head.rest.actors
        schedules = msgspec.convert(actors.get("schedules", []), list[ScheduleState])
        told = _told(schedules, msgspec.convert(actors.get("tenants", []), list[TenantState]))
        wanted = next(
            told
            for sequence, told in reversed(self._told[int(partition)])
            if sequence <= head.journal_seq
        )
        if told != wanted:
            what = f"partition {partition}: the snapshot at {head.journal_seq}"
            self._ledger.problems.append(f"{what} has {told}, the journal {wanted}")


def _told(schedules: list[ScheduleState], tenants: list[TenantState]) -> Told:
    """When which trigger is due, who has which slots, and how many there are; what is not
    journalled, like tokens, is left out."""
    told: Told = {
        state.workflow: {name: trigger.due_ms for name, trigger in state.triggers.items()}
        for state in schedules
        if state.triggers
    }
    for state in tenants:
        limits = state.limits
        if state.slots or limits.concurrency != -1 or limits.steps_per_s != -1:
            told[limits.tenant] = (dict(state.slots), limits.concurrency, limits.steps_per_s)
    return told
