"""What happened, read from the streams as anybody can, and what must be true of it."""

from typing import Any

from penstock.actors.execution import core
from penstock.actors.execution.events import Event, Finished, Started
from penstock.actors.execution.history import History
from penstock.actors.journal import Answered, Fired, Happened, JournalReader, Record
from penstock.subjects import names
from penstock.subjects.bus import Message
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.memory_broker import MemoryBroker
from penstock.subjects.messages import RunRequest
from penstock.workflow.plan import Plan


class Ledger:
    """Follows every partition from its beginning; `history` fills as records appear."""

    def __init__(self, broker: MemoryBroker, partitions: int, plans: dict[str, Plan]) -> None:
        self.problems: list[str] = []
        self.requests: dict[str, RunRequest] = {}
        self.histories: dict[str, History] = {}
        self.ends: dict[str, str] = {}
        self.answered: set[str] = set()
        self.fired: dict[tuple[str, int], str] = {}
        self.positions: dict[int, int] = {}
        self.records = 0
        self._plans = plans
        self._last: dict[int, Record] = {}
        bus = MemoryBus(broker)
        for number in range(partitions):
            self._follow(bus, number)

    def _follow(self, bus: MemoryBus, number: int) -> None:
        reader = JournalReader()

        def on_message(message: Message) -> None:
            try:
                record = reader.feed(message)
                if record is not None:
                    self._on_record(number, record)
                    self.positions[number] = reader.resume_from - 1
            except Exception as error:
                self.problems.append(f"partition {number} at {message.sequence}: {error!r}")

        bus.follow("EXEC", names.partition_all("local", number), 1, on_message)

    def _on_record(self, number: int, record: Record) -> None:
        self.records += 1
        before = self._last.get(number)
        self._last[number] = record
        if before is not None:
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
        for entry in record.entries:
            if isinstance(entry, Happened):
                for event in entry.events:
                    self._on_event(entry.execution, event)
            elif isinstance(entry, Answered):
                self.answered.add(entry.execution)
            elif isinstance(entry, Fired):
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
