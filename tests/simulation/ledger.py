"""What is in the journal, seen in the moment in which it is stored, and what must be true of it.

The ledger stands beside the broker: it sees every append before anybody hears of it, so a broken
promise is noticed while things still go wrong and not only when all is over.
"""

from collections.abc import Callable
from typing import Any

from penstock.actors.execution import core
from penstock.actors.execution.events import Event, Finished, Started
from penstock.actors.execution.history import History
from penstock.actors.inbox import SIGNALS
from penstock.actors.journal import (
    RUNS,
    Answered,
    Fired,
    Happened,
    Held,
    JournalReader,
    Record,
    is_journal,
)
from penstock.subjects.bus import Message
from penstock.subjects.memory_broker import MemoryBroker, Stored
from penstock.subjects.messages import Cancel, RunRequest
from penstock.workflow.plan import Plan


class Ledger:
    """Everything that every partition decided, from its beginning."""

    def __init__(self, broker: MemoryBroker, partitions: int, plans: dict[str, Plan]) -> None:
        self.problems: list[str] = []
        self.requests: dict[str, RunRequest] = {}
        self.events: dict[str, list[Event]] = {}
        self.histories: dict[str, History] = {}
        self.ends: dict[str, str] = {}
        self.answered: set[str] = set()
        self.fired: dict[tuple[str, int], str] = {}
        self.records = 0
        self.on_end: Callable[[str], None] = lambda execution: None
        """Called for each execution that ended, when its record is read."""
        self.on_record: Callable[[int, int, Record], None] = lambda number, sequence, record: None
        """Called for each record with its partition and sequence."""
        self._plans = plans
        self._held: set[str] = set()
        self._asked: set[str] = set()
        self._readers = [JournalReader() for _ in range(partitions)]
        self._last: dict[int, Record] = {}
        self._inputs: list[list[tuple[int, str, bool]]] = [[] for _ in range(partitions)]
        """What waits to be dealt with: (sequence, execution, whether it is to be cancelled)."""
        broker.stream("EXEC").listeners.append(self._on_stored)

    def _on_stored(self, stored: Stored) -> None:
        message = stored.message
        _, _, partition, _ = message.subject.split(".", 3)
        if not partition.isdigit():
            return  # a canary's
        number = int(partition)
        try:
            record = self._readers[number].feed(message)
            if is_journal(message.subject):
                assert record is not None
                self._on_record(number, record)
                self.on_record(number, message.sequence, record)
            else:
                self._on_input(number, message)
        except Exception as error:
            self.problems.append(f"partition {number} at {message.sequence}: {error!r}")

    def _on_input(self, number: int, message: Message) -> None:
        waiting = self._inputs[number]
        if message.subject.endswith(".run"):
            for request in RUNS.decode(message.payload):
                waiting.append((message.sequence, request.execution, False))
                self._asked.add(request.execution)
        else:
            for signal in SIGNALS.decode(message.payload):
                # Before its request a cancelling means nothing.
                if isinstance(signal, Cancel) and signal.execution in self._asked:
                    waiting.append((message.sequence, signal.execution, True))

    def _on_record(self, number: int, record: Record) -> None:
        self.records += 1
        self._check_order(number, record)
        ended = []
        for entry in record.entries:
            if isinstance(entry, Happened):
                for event in entry.events:
                    self._on_event(entry.execution, event)
                    if isinstance(event, Finished):
                        ended.append(entry.execution)
            elif isinstance(entry, Held):
                self._held.add(entry.execution)
            elif isinstance(entry, Answered):
                self.answered.add(entry.execution)
            elif isinstance(entry, Fired):
                self._on_fired(entry)
        self._check_passed(number, record.input_seq)
        for execution in ended:
            self.on_end(execution)

    def _check_order(self, number: int, record: Record) -> None:
        """One owner at a time, and nobody goes back."""
        before = self._last.get(number)
        self._last[number] = record
        if before is None:
            return
        is_next = record.epoch == before.epoch + 1 and record.index == 0
        goes_on = (record.owner, record.epoch, record.index) == (
            before.owner,
            before.epoch,
            before.index + 1,
        )
        if not (is_next or goes_on):
            self.problems.append(f"partition {number}: {before} is followed by {record}")
        if record.input_seq < before.input_seq:
            self.problems.append(f"partition {number}: inputs go back at {record.index}")

    def _check_passed(self, number: int, input_seq: int) -> None:
        """What a record passes for good has been dealt with."""
        waiting = self._inputs[number]
        passed = 0
        for sequence, execution, is_cancel in waiting:
            if sequence > input_seq:
                break
            passed += 1
            if is_cancel:
                if execution in self.requests and execution not in self.ends:
                    self.problems.append(f"{execution}: its cancelling was passed over")
            elif execution not in self.requests and execution not in self._held:
                self.problems.append(f"{execution}: its request was passed over")
        del waiting[:passed]

    def _on_fired(self, entry: Fired) -> None:
        key = (entry.workflow, entry.due_ms)
        if key in self.fired:
            self.problems.append(f"{key} fired twice")
        self.fired[key] = entry.execution

    def _on_event(self, execution: str, event: Event) -> None:
        if isinstance(event, Started):
            if execution in self.requests:
                self.problems.append(f"{execution} started twice")
            assert event.request is not None
            self.requests[execution] = event.request
            plan = self._plans.get(event.request.plan)
            if plan is not None:
                self.histories[execution] = History(core.new_state(plan, event.request))
        elif execution not in self.requests:
            self.problems.append(f"{execution} goes on and has not started: {event}")
        if execution in self.ends:
            self.problems.append(f"{execution} goes on after its end: {event}")
        self.events.setdefault(execution, []).append(event)
        if isinstance(event, Finished):
            self.ends[execution] = event.status
        if execution in self.histories:
            self.histories[execution].add(event)

    def open(self) -> list[str]:
        """Executions that started and have not ended."""
        return [execution for execution in self.requests if execution not in self.ends]

    def story(self, execution: str) -> Any:
        """What an execution did, without its times and ids."""
        told = self.histories[execution].as_json()
        return {key: told[key] for key in ("status", "lastNodeExecuted", "order")} | {
            "last": self.histories[execution].state.last_outputs
        }
