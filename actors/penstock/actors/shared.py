"""What all partitions of one host share."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from penstock.actors.directory import Directory
from penstock.actors.marks import Marks
from penstock.actors.plans import Plans
from penstock.actors.quarantine import Quarantine
from penstock.actors.sandboxes import Sandboxes
from penstock.actors.taps import Taps
from penstock.subjects.bus import Bus
from penstock.subjects.clock import Clock
from penstock.subjects.config import DEFAULT_TIMEZONE
from penstock.subjects.errors import BusError
from penstock.workflow.plan import NodeTypes
from penstock.workflow.scope import ResumeUrl, unsigned

RETRY_S = 0.5
SNAPSHOT_S = 60.0
DOOMED_MAX = 1_000


class Live(Protocol):
    """A partition that works."""

    def wake(self) -> None: ...

    def note_positions(self) -> None: ...

    def on_reconnect(self, steps: Mapping[str, int], done: Mapping[str, int]) -> None: ...


@dataclass(eq=False)
class Shared:
    """One host's connection, clock and caches. `owner` names the process, never used twice;
    `timezone` is that of workflows which name none; `snapshot_s` how old a partition's snapshot
    gets while there is work; `accepts_gap`: own partitions whose journal lacks records."""

    bus: Bus
    clock: Clock
    region: str
    partitions: int
    owner: str
    types: NodeTypes
    resume_url: ResumeUrl = unsigned
    timezone: str = DEFAULT_TIMEZONE
    snapshot_s: float = SNAPSHOT_S
    accepts_gap: bool = False
    plans: Plans = field(init=False)
    directory: Directory = field(init=False)
    marks: Marks = field(init=False)
    taps: Taps = field(init=False)
    quarantine: Quarantine = field(init=False)
    sandboxes: Sandboxes = field(init=False)
    doomed: dict[str, str] = field(default_factory=dict)
    """Executions that cannot go on as they did before memory was given up, and why."""
    live: list[Live] = field(default_factory=list)
    """The partitions to wake after each batch of the connection."""
    _looking: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.plans = Plans(self.bus, self.types, timezone=self.timezone)
        self.directory = Directory(self.bus)
        self.marks = Marks(self.bus, self.region)
        self.taps = Taps(self.bus)
        self.quarantine = Quarantine(self.bus, self.region)
        self.sandboxes = Sandboxes(self.bus, self.clock)
        self.bus.on_batch(self._wake_all)
        self.bus.on_connection(self._on_connection)

    async def start(self) -> None:
        """Watch the directory and the marks; returns when the directory is complete."""
        self.directory.start()
        self.marks.start()
        await self.directory.ready()

    def close(self) -> None:
        """Stop the background work of the caches."""
        self.plans.close()
        self.directory.close()
        self.marks.close()
        self.sandboxes.close()
        self.live.clear()
        if self._looking is not None:
            self._looking.cancel()

    def doom(self, execution: str, why: str) -> None:
        """Have an execution end with that as its error, once its partition is owned anew."""
        self.doomed[execution] = why
        while len(self.doomed) > DOOMED_MAX:
            del self.doomed[next(iter(self.doomed))]

    def _wake_all(self) -> None:
        for partition in tuple(self.live):  # one that gives up leaves the list
            partition.wake()

    def _on_connection(self, is_connected: bool) -> None:
        if self._looking is not None:
            self._looking.cancel()
        if is_connected and self.live:
            for partition in self.live:
                partition.note_positions()
            self._looking = asyncio.ensure_future(self._look_for_lost_streams())

    async def _look_for_lost_streams(self) -> None:
        while True:
            try:
                steps = await self.bus.info("STEPS")
                done = await self.bus.info("DONE")
                break
            except BusError:
                await asyncio.sleep(RETRY_S)
        for partition in tuple(self.live):
            partition.on_reconnect(steps, done)
