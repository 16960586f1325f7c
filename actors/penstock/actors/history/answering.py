"""Answers to the questions of `penstock.subjects.history`.

What is asked for may have happened a moment ago and not be projected yet. So an execution that is
missing or not over is looked up a second time, after everything that the stream held when it was
asked for has been projected. When that takes too long, the answer is "not now", never "none".

An answer that is too large for one message leaves out what has no room and says so: of an
execution its older data (`penstock.subjects.fitting`), of a list the long texts of errors. Only a
recording is whole or refused: a retry from a part of it would do things twice.

Every question is answered, if only by a problem: who asks would wait for nothing otherwise.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
import psycopg

from penstock.actors.history.replay import execution_view, row_view
from penstock.actors.history.rows import Row
from penstock.actors.history.store import Store
from penstock.actors.plans import Plans
from penstock.subjects import history, names
from penstock.subjects.bus import Bus, Message, Subscription
from penstock.subjects.codec import CodecError
from penstock.subjects.errors import PenstockError
from penstock.subjects.fitting import fit, shortened
from penstock.subjects.history import ExecutionPage, HistoryAnswer, HistoryError, Recorded
from penstock.subjects.views import ENDED
from penstock.workflow.plan import Plan

CATCH_UP_S = 1.0
PLAN_S = 2.0
OPEN_MAX = 64

log = logging.getLogger("penstock.projector")


class BehindError(PenstockError):
    """The projection is too far behind to say whether there is such an execution."""


class Progress(Protocol):
    """How far the projection is: everything up to `position` is in the rows."""

    @property
    def position(self) -> int: ...

    async def reached(self, sequence: int) -> None:
        """Return when everything up to `sequence` is in the rows."""


class Answering:
    """Serves one region's history on the bus until `close`."""

    def __init__(self, bus: Bus, store: Store, plans: Plans, progress: Progress) -> None:
        self._bus = bus
        self._journals: list[str] = []
        self._store = store
        self._plans = plans
        self._progress = progress
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscriptions: list[Subscription] = []

    def start(self, region: str, partitions: int) -> None:
        """Answer from now on. Projectors of one region share the questions."""
        self._journals = [names.journal(region, number) for number in range(partitions)]
        kinds = {
            "list": self._list,
            "read": self._read,
            "events": self._events,
            "lag": self._lag,
        }
        for kind, answer in kinds.items():
            subject = names.history(region, kind)
            receive = self._receiver(answer)
            self._subscriptions.append(self._bus.subscribe(subject, receive, queue="history"))

    def close(self) -> None:
        for subscription in self._subscriptions:
            subscription.close()
        for task in self._tasks:
            task.cancel()

    def _receiver(
        self, answer: Callable[[bytes], Awaitable[HistoryAnswer]]
    ) -> Callable[[Message], None]:
        def receive(message: Message) -> None:
            if len(self._tasks) >= OPEN_MAX:
                busy = _problem("too many are asking", is_unavailable=True)
                self._bus.publish(message.reply, busy)
                return
            task = asyncio.ensure_future(self._answer(message, answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return receive

    async def _answer(
        self, message: Message, answer: Callable[[bytes], Awaitable[HistoryAnswer]]
    ) -> None:
        try:
            frame = _frame(await answer(message.payload))
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable, OSError) as error:
            # A table that is not there yet: the first session has still to make it.
            log.warning("the history cannot be read: %s", type(error).__name__)
            frame = _problem("the database is not reachable", is_unavailable=True)
        except BehindError as error:
            frame = _problem(error.message, is_unavailable=True)
        except PenstockError as error:
            frame = _problem(error.message)
        except Exception:
            log.exception("a question to the history failed")
            frame = _problem("this execution cannot be read")
        try:
            self._bus.publish(message.reply, frame)
        except PenstockError as error:
            log.warning("an answer of the history cannot be sent: %s", error.message)

    async def _list(self, frame: bytes) -> HistoryAnswer:
        rows, cursor = await self._store.page(history.LIST.decode(frame))
        plans = {row.plan: await self._plan(row) for row in rows}
        views = [row_view(row, plans[row.plan]) for row in rows]
        return HistoryAnswer(page=ExecutionPage(views, cursor))

    async def _read(self, frame: bytes) -> HistoryAnswer:
        row = await self._row(frame)
        if row is None:
            return HistoryAnswer()
        recording = await self._store.recording(row)
        return HistoryAnswer(view=execution_view(row, recording, await self._plan(row)))

    async def _events(self, frame: bytes) -> HistoryAnswer:
        row = await self._row(frame)
        recording = None if row is None else await self._store.recording(row)
        if recording is None:
            return HistoryAnswer()
        events = msgspec.to_builtins(recording.events)
        return HistoryAnswer(recorded=Recorded(recording.request, events))

    async def _lag(self, _: bytes) -> HistoryAnswer:
        """Counted up to the newest record: what else EXEC takes in, canaries above all, is no part
        of the history, and would look like a lag where nothing happens."""
        position = self._progress.position
        lasts = await asyncio.gather(*(self._bus.last("EXEC", each) for each in self._journals))
        newest = max((last.sequence for last in lasts if last is not None), default=0)
        return HistoryAnswer(lag=max(0, newest - position))

    async def _row(self, frame: bytes) -> Row | None:
        question = history.READ.decode(frame)
        row = await self._store.row(question.tenant, question.execution)
        if row is not None and row.status in ENDED:
            return row
        try:
            async with asyncio.timeout(CATCH_UP_S):
                await self._progress.reached((await self._bus.info("EXEC"))["last"])
        except (TimeoutError, PenstockError):
            if row is None:
                # It may be among what is not projected yet: "there is none" could be a lie.
                raise BehindError("it is still catching up with what happened") from None
            return row
        return await self._store.row(question.tenant, question.execution)

    async def _plan(self, row: Row) -> Plan | None:
        plan = self._plans.get(row.plan)
        if plan is None:
            try:
                async with asyncio.timeout(PLAN_S):
                    found = await self._plans.load(row.plan)
            except TimeoutError:
                return None
            plan = found if isinstance(found, Plan) else None
        return plan


def _problem(text: str, *, is_unavailable: bool = False) -> bytes:
    return history.ANSWER.encode(HistoryAnswer(problem=text, is_unavailable=is_unavailable))


def _frame(answer: HistoryAnswer) -> bytes:
    try:
        return history.ANSWER.encode(answer)
    except CodecError as error:
        if answer.view is not None:
            fit(answer.view)
        elif answer.page is not None:
            for row in answer.page.rows:
                row.error = shortened(row.error)
        else:
            raise HistoryError(
                f"what was recorded of this execution is too large for a retry: {error.message}; "
                "start its workflow anew"
            ) from error
    return history.ANSWER.encode(answer)
