"""What the journal says of every execution: the judge of the kill drills.

Follows EXEC while the drill runs, across outages of the broker, so that trimming behind it takes
nothing away from it. An execution that was acknowledged must be finished exactly once; no
execution whatever may start or finish twice. And the records of each partition are one chain: a
record of somebody who no longer owned the partition would break it.
"""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from penstock.actors.execution.events import Finished, Started
from penstock.actors.journal import RECORDS, Happened, Held, Record, is_journal
from penstock.subjects.bus import Message
from penstock.subjects.bus_nats import NatsBus


class JournalChecker:
    """Counts starts and ends by execution, on a thread of its own."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._stop = threading.Event()
        self._following = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._follow()), daemon=True)
        self.started: Counter[str] = Counter()
        self.finished: Counter[str] = Counter()
        self.statuses: dict[str, str] = {}
        self.held: set[str] = set()
        """Executions that wait to be started."""
        self.stale: list[str] = []
        """Records that do not follow from the one before."""
        self.owners: dict[str, str] = {}
        """Who wrote last, by the subject of the journal."""
        self._last: dict[str, tuple[str, int, int]] = {}

    def __enter__(self) -> "JournalChecker":
        self._thread.start()
        assert self._following.wait(15), "the journal cannot be followed"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(10)

    def lost(self, acknowledged: Callable[[], set[str]]) -> set[str]:
        """Acknowledged executions that have not ended (yet)."""
        return acknowledged() - set(self.finished)

    def twice(self) -> dict[str, tuple[int, int]]:
        """Executions that started or ended more than once."""
        return {
            execution: (starts, self.finished[execution])
            for execution, starts in self.started.items()
            if starts > 1 or self.finished[execution] > 1
        }

    async def _follow(self) -> None:
        passwords = json.loads((self._data / "secrets.json").read_text())
        url = (self._data / "run" / "nats-url").read_text().strip()
        bus = await NatsBus.connect(
            url, user="projector", password=passwords["nats-projector"], name="checker"
        )
        start = (await bus.info("EXEC"))["last"] + 1
        following = bus.follow("EXEC", "exec.>", start, self._take)
        self._following.set()
        while not self._stop.is_set():  # noqa: ASYNC110 - another thread's event
            await asyncio.sleep(0.05)
        following.close()
        await bus.close()

    def _take(self, message: Message) -> None:
        if not is_journal(message.subject):
            return
        record = RECORDS.decode(message.payload)
        self._link(message.subject, record)
        for entry in record.entries:
            if isinstance(entry, Held):
                self.held.add(entry.execution)
            if not isinstance(entry, Happened):
                continue
            self.held.discard(entry.execution)
            for event in entry.events:
                if isinstance(event, Started):
                    self.started[entry.execution] += 1
                elif isinstance(event, Finished):
                    self.finished[entry.execution] += 1
                    self.statuses[entry.execution] = event.status

    def _link(self, subject: str, record: Record) -> None:
        before = self._last.get(subject)
        here = (record.owner, record.epoch, record.index)
        self._last[subject] = here
        self.owners[subject] = record.owner
        if before is None:
            return
        begins = record.epoch == before[1] + 1 and record.index == 0
        goes_on = here == (before[0], before[1], before[2] + 1)
        if not (begins or goes_on):
            self.stale.append(f"{subject} {_place(before)} then {_place(here)}")


def _place(record: tuple[str, int, int]) -> str:
    """A record's place in the chain, in words."""
    owner, epoch, index = record
    return f"{owner}/{epoch}/{index}"
