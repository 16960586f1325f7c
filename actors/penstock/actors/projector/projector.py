"""The projection loop: follow, fold, store, move the watermark, for ever.

One batch is what came in while the last one was stored, at most `BATCH_EXECUTIONS`; under load a
batch is not begun sooner than `PACE_S` after the last one, because a transaction costs the same
for one row as for a thousand, and nobody waits for a view.

Any fault ends a *session*: connection, follower and fold are thrown away, and the next session
begins from the watermark. That is the one way of recovering, from an outage of Postgres, a lost
connection, or a second projector that moved the watermark; it is waited for as long as it takes.

A follower cannot be held back, so when more has come in than is to be held in memory it is closed,
and opened again where it was once that has been stored.

A session does not begin where that would leave a hole without a word: marks that are ahead of the
database tell that it is not the one that held the history (`gap`). Nor does it go past a record
that a newer program wrote; it stores what is before and waits to be replaced.

After a batch is stored, the marks of its partitions say up to where EXEC is not needed any more.
Owners trim no further.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import psycopg
from psycopg import AsyncConnection

from penstock.actors.history.fold import Fold
from penstock.actors.history.migrate import migrate
from penstock.actors.history.retention import forget
from penstock.actors.history.rows import DAY_MS
from penstock.actors.history.writer import Writer
from penstock.actors.marks import mark_key
from penstock.actors.projector.gap import foremost_mark, gap, is_begun, leave_sign
from penstock.subjects.blobs import BlobStore
from penstock.subjects.bus import Bus, Message, Subscription
from penstock.subjects.clock import Clock
from penstock.subjects.codec import NewerVersionError
from penstock.subjects.crash_points import crash_point
from penstock.subjects.errors import BusError, PenstockError

BATCH_EXECUTIONS = 2000
PACE_S = 0.05
HELD_BYTES_MAX = 64 * 1024 * 1024
MARK_EVERY_S = 1.0
FORGET_EVERY_S = 600.0
RETRY_FIRST_S, RETRY_MAX_S = 0.1, 5.0

log = logging.getLogger("penstock.projector")


class Inlet:
    """A follower with a bounded hold: messages that wait to be folded."""

    def __init__(self, bus: Bus, subject: str, start: int) -> None:
        self._bus = bus
        self._subject = subject
        self._next = start
        self._held: deque[Message] = deque()
        self._held_bytes = 0
        self._arrived = asyncio.Event()
        self._subscription: Subscription | None = None
        self._open()

    async def wait(self, timeout_s: float) -> None:
        """Return when there is something to pop, or after `timeout_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._arrived.wait()

    def pop(self) -> Message | None:
        """The next message, if one is held."""
        if not self._held:
            self._arrived.clear()
            if self._subscription is None:
                self._open()
            return None
        message = self._held.popleft()
        self._held_bytes -= len(message.payload)
        return message

    def close(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None

    def _open(self) -> None:
        self._subscription = self._bus.follow("EXEC", self._subject, self._next, self._receive)

    def _receive(self, message: Message) -> None:
        if self._subscription is None:
            return
        self._next = message.sequence + 1
        self._held.append(message)
        self._held_bytes += len(message.payload)
        self._arrived.set()
        if self._held_bytes > HELD_BYTES_MAX:
            self.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to project where. `keep_days` 0: for ever. `accepts_gap`: go on where the database
    lacks what EXEC no longer holds. `patience_s`: for so long after the start a database that
    cannot be reached is taken to be starting as well, which is nobody's trouble."""

    postgres_url: str
    region: str
    keep_days: int = 0
    accepts_gap: bool = False
    patience_s: float = 0.0


class Projector:
    """Keeps one region's history. `run` until cancelled."""

    def __init__(self, bus: Bus, blobs: BlobStore, clock: Clock, settings: Settings) -> None:
        self.position = 0
        self.storing = asyncio.Event()
        """Set while the session has got as far as the database."""
        self.problem = ""
        """Why nothing is projected now, for people."""
        self.gap = ""
        """What this database will never hold, for people."""
        self.connect: Callable[[], Awaitable[AsyncConnection]] = partial(
            AsyncConnection.connect, settings.postgres_url, autocommit=True, connect_timeout=5
        )
        """Opens the connection of a session."""
        self._bus = bus
        self._blobs = blobs
        self._clock = clock
        self._region = settings.region
        self._keep_days = settings.keep_days
        self._accepts_gap = settings.accepts_gap
        self._patience_s = settings.patience_s
        self._moved = asyncio.Condition()
        self._floors: dict[str, int] = {}
        self._marked_at_s = 0.0
        self._forgot_at_s = 0.0
        self._delay_s = RETRY_FIRST_S

    async def run(self) -> None:
        """Project for ever, one session after another."""
        troubled_from_s = asyncio.get_running_loop().time() + self._patience_s
        while True:
            try:
                await self._session()
            except (psycopg.Error, OSError, PenstockError) as error:
                self._tell(error, troubled_from_s)
            except Exception as error:
                # Ours, not the world's. A restart of the program would meet it again at once and
                # use up the supervisor's budget, while reads can still be answered.
                self.problem = _sentence(error)
                log.exception("projecting is interrupted by a fault of its own")
            self.storing.clear()
            await asyncio.sleep(self._delay_s)
            self._delay_s = min(2 * self._delay_s, RETRY_MAX_S)

    def _tell(self, error: Exception, troubled_from_s: float) -> None:
        """Say why nothing is projected, in the log once for all tries that meet the same."""
        is_away = isinstance(error, psycopg.OperationalError | OSError)
        if is_away and asyncio.get_running_loop().time() < troubled_from_s:
            log.debug("waiting for the database: %s", error)
            return
        before, self.problem = self.problem, _sentence(error)
        if self.problem != before:
            log.warning("projecting is interrupted: %s", self.problem)

    async def reached(self, sequence: int) -> None:
        """Return when everything up to `sequence` is in the rows."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.position >= sequence)

    async def _session(self) -> None:
        connection = await self.connect()
        inlet: Inlet | None = None
        try:
            for step in await migrate(connection):
                log.info("migrated %s", step)
            writer = Writer(self._blobs, self._region)
            reached = await foremost_mark(self._bus, self._region)
            position, read_from, open_rows = await writer.load(connection)
            last = (await self._bus.info("EXEC"))["last"]
            if position > last:
                raise PenstockError(
                    f"the history is at {position}, EXEC ends at {last}",
                    remedy="give a new broker an empty database, or restore the broker's data",
                )
            await self._look_for_another(reached, position)
            await self._look_for_gap(reached, position, read_from)
            fold = Fold(position, open_rows)
            await self._move(position)
            inlet = Inlet(self._bus, f"exec.{self._region}.>", read_from)
            self.storing.set()
            self.problem = ""
            while True:
                await self._batch(connection, writer, fold, inlet)
        finally:
            if inlet is not None:
                inlet.close()
            await connection.close()

    async def _look_for_another(self, reached: int, position: int) -> None:
        """Refuse to go on with the EXEC of a broker that began anew."""
        if await is_begun(self._bus, self._region):
            return
        if position and not reached and not self._accepts_gap:
            raise PenstockError(
                f"the history is at {position}, and none has begun with this EXEC: the broker is"
                " another one",
                remedy="give a new broker an empty database, or restore the broker's data; to lose"
                " what a new EXEC has had so far, set PENSTOCK_ACCEPTS_HISTORY_GAP=true for one"
                " start",
            )
        await leave_sign(self._bus, self._region)

    async def _look_for_gap(self, reached: int, position: int, read_from: int) -> None:
        missing = await gap(
            self._bus, self._region, reached=reached, position=position, read_from=read_from
        )
        if missing and not self._accepts_gap:
            raise PenstockError(
                missing,
                remedy="set PENSTOCK_POSTGRES_URL to the database that held the history or restore"
                " it; to do without, set PENSTOCK_ACCEPTS_HISTORY_GAP=true for one start",
            )
        if missing and not self.gap:
            self.gap = missing
            log.error("%s; going on without, as PENSTOCK_ACCEPTS_HISTORY_GAP says", missing)

    async def _batch(
        self, connection: AsyncConnection, writer: Writer, fold: Fold, inlet: Inlet
    ) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        newer = _fill(fold, inlet)
        batch = fold.take()
        if batch.position > self.position:
            await writer.store_bodies(batch)
            crash_point("project")
            await writer.store_rows(connection, batch)
            for sentence in batch.lost:
                log.error("the history lacks something: %s", sentence)
                self.gap = self.gap or f"the history lacks something: {sentence}"
            await self._move(batch.position)
            self._delay_s = RETRY_FIRST_S
        self._floors.update(batch.floors)
        await self._mark()
        if newer is not None:
            raise newer
        await self._forget(connection)
        if len(batch.rows) < BATCH_EXECUTIONS:
            await asyncio.sleep(max(0.0, began_s + PACE_S - loop.time()))
            await inlet.wait(MARK_EVERY_S)

    async def _move(self, position: int) -> None:
        async with self._moved:
            self.position = position
            self._moved.notify_all()

    async def _mark(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if not self._floors or now_s - self._marked_at_s < MARK_EVERY_S:
            return
        self._marked_at_s = now_s
        marks = self._bus.bucket("marks")
        try:
            for partition, floor in tuple(self._floors.items()):
                await marks.put(mark_key(self._region, int(partition)), str(floor).encode())
                del self._floors[partition]
        except BusError as error:
            log.warning("cannot tell how far the history is: %s", error)

    async def _forget(self, connection: AsyncConnection) -> None:
        now_s = asyncio.get_running_loop().time()
        if not self._keep_days or now_s - self._forgot_at_s < FORGET_EVERY_S:
            return
        self._forgot_at_s = now_s
        before_day = self._clock.now_ms() // DAY_MS - self._keep_days
        for day in await forget(connection, self._blobs, self._region, before_day=before_day):
            log.info("forgot the executions of day %d", day)


def _fill(fold: Fold, inlet: Inlet) -> NewerVersionError | None:
    """Fold what has come in, as much as one batch takes; the record that it cannot go past."""
    while fold.changed < BATCH_EXECUTIONS and (message := inlet.pop()) is not None:
        try:
            fold.feed(message)
        except NewerVersionError as error:
            return error
    return None


def _sentence(error: Exception) -> str:
    """An error for a log line and the status: what happened, and what to do about it."""
    text = f"{type(error).__name__}: {error}"
    remedy = error.remedy if isinstance(error, PenstockError) else ""
    return f"{text} ({remedy})" if remedy else text
