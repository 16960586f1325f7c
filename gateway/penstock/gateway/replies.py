"""Requests that wait: for the broker's acknowledgement, or for an execution's answer.

One future per request serves both. Answers come in batches on `reply.<gateway>`, at most once: an
owner that dies between its journal append and its reply leaves a request waiting, so whoever waits
longer than a moment has the partition's owner asked, again and again, until there is an
answer or its time is over. Running out of time ends the waiting, never the execution. A request
that went straight to the owner (`direct`), and of which that knows nothing, is stored then.

Each wait holds a connection for up to an hour, so there is a most of them; who comes beyond is
refused before anything is started.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable

from penstock.gateway.metrics import Metrics
from penstock.gateway.problems import ProblemError
from penstock.subjects import asks, names
from penstock.subjects.bus import Bus, Message
from penstock.subjects.codec import Codec, CodecError
from penstock.subjects.errors import BusError
from penstock.subjects.ids import partition_of, root_of
from penstock.subjects.messages import Reply, ReplyTo, RunRequest

ASK_AFTER_S = 2.0
ASK_UNSTORED_AFTER_S = 0.5
ASK_UNSTORED_AGAIN_S = 1.0
"""Sooner, because what has not arrived, or was lost with its owner, is still to be stored."""
ANSWER_S = 1.0
"""How long an owner may take to answer; it does so between two wake-ups."""
SWEEP_S = 0.25
ASKS_MAX = 256
WAITING_MAX = 20_000

log = logging.getLogger("penstock.gateway")

_replies: Codec[list[Reply]] = Codec(list[Reply])


class Waiting:
    """A request that waits. `number` 0: it is answered on the acknowledgement alone. `unstored`:
    what it waits for, while that has gone straight to the owner and nowhere else."""

    __slots__ = (
        *("ask_at_s", "deadline_s", "execution", "future", "number", "sequence"),
        *("unstored", "unstored_bytes"),
    )

    def __init__(self, execution: str, future: "asyncio.Future[Reply | None]") -> None:
        self.execution = execution
        self.future = future
        self.number = 0
        self.sequence = 0
        self.deadline_s = 0.0
        self.ask_at_s = 0.0
        self.unstored: RunRequest | None = None
        self.unstored_bytes = 0

    def accepted(self, sequence: int) -> None:
        """The broker has its run request."""
        self.sequence = sequence
        if self.number == 0 and not self.future.done():
            self.future.set_result(None)

    def refused(self, problem: ProblemError) -> None:
        """Its run request was not acknowledged."""
        if not self.future.done():
            problem.execution = self.execution
            problem.headers.append((b"x-penstock-execution", self.execution.encode()))
            self.future.set_exception(problem)


class Replies:
    """All requests of this gateway that wait for an answer, by number."""

    def __init__(
        self, bus: Bus, *, region: str, partitions: int, gateway: str, metrics: Metrics
    ) -> None:
        self._bus = bus
        self._region = region
        self._partitions = partitions
        self._gateway = gateway
        self._metrics = metrics
        self.store: Callable[[Waiting], None] = lambda waiting: None
        """Store the request of a waiting one that has gone straight to its owner."""
        self.forget: Callable[[Waiting], object] = lambda waiting: None
        """Keep that request no longer."""
        self._numbers = itertools.count(1)
        self._open: dict[int, Waiting] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._subscription = bus.subscribe(names.replies(gateway), self._on_replies)

    def immediate(self, execution: str) -> Waiting:
        """A request that is answered on the acknowledgement."""
        return Waiting(execution, asyncio.get_running_loop().create_future())

    def open(self, execution: str, wait_s: float) -> tuple[Waiting, ReplyTo]:
        """A request that waits up to `wait_s` for the execution's answer; `close` it after.

        Raises 503 when as many wait as may.
        """
        if len(self._open) >= WAITING_MAX:
            raise _too_many()
        loop = asyncio.get_running_loop()
        waiting = Waiting(execution, loop.create_future())
        waiting.number = next(self._numbers)
        now_s = loop.time()
        waiting.deadline_s = now_s + wait_s
        waiting.ask_at_s = now_s + ASK_UNSTORED_AFTER_S
        self._open[waiting.number] = waiting
        self._metrics.requests_waiting = len(self._open)
        return waiting, ReplyTo(self._gateway, waiting.number)

    def close(self, waiting: Waiting) -> None:
        """Nobody waits any more."""
        # Who may still say something of it (the bus, for a second) need not keep its items.
        self.forget(waiting)
        self._open.pop(waiting.number, None)
        self._metrics.requests_waiting = len(self._open)

    def _on_replies(self, message: Message) -> None:
        try:
            replies = _replies.decode(message.payload)
        except CodecError as error:
            log.warning("unreadable replies on %s: %s", message.subject, error)
            return
        self._metrics.replies_received += len(replies)
        for reply in replies:
            waiting = self._open.get(reply.request)
            # The id is compared because numbers of a gateway that died are no secret.
            if waiting is not None and waiting.execution == reply.execution:
                self._resolve(waiting, reply)

    def _resolve(self, waiting: Waiting, reply: Reply) -> None:
        if not waiting.future.done():
            waiting.future.set_result(reply)

    async def sweep(self) -> None:
        """Run for ever: ask for answers that should have come, end what is out of time."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_S)
            now_s = loop.time()
            for waiting in list(self._open.values()):
                if waiting.future.done():
                    continue
                if now_s >= waiting.deadline_s:
                    self._metrics.replies_timed_out += 1
                    waiting.future.set_exception(_out_of_time(waiting))
                elif now_s >= waiting.ask_at_s:
                    self._look_after(waiting, now_s)

    def _look_after(self, waiting: Waiting, now_s: float) -> None:
        """No answer for a while: ask, or when so many wait that asking takes long, store it."""
        if len(self._asking) >= ASKS_MAX:
            if now_s - waiting.ask_at_s > ASK_AFTER_S:
                self.store(waiting)
        elif waiting.sequence or waiting.unstored is not None:
            is_stored = waiting.unstored is None
            waiting.ask_at_s = now_s + (ASK_AFTER_S if is_stored else ASK_UNSTORED_AGAIN_S)
            task = asyncio.create_task(self._ask(waiting))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _ask(self, waiting: Waiting) -> None:
        partition = partition_of(root_of(waiting.execution), self._partitions)
        subject = names.ask(self._region, partition, "reply")
        asked = asks.AskReply(waiting.execution, self._gateway, waiting.number)
        question = asks.ask_reply.encode(asked)
        # What is stored while the question is under way is none of what the answer speaks of.
        sequence = waiting.sequence
        try:
            told = await self._bus.request(subject, question, ANSWER_S)
            answer = asks.reply_answer.decode(told)
        except (BusError, CodecError) as error:
            log.debug("no owner answered for %s: %s", waiting.execution, error)
            self.store(waiting)
            return
        if answer.reply is not None and answer.reply.request == waiting.number:
            self._metrics.replies_polled += 1
            self._resolve(waiting, answer.reply)
        elif waiting.unstored is not None:
            if not answer.is_open:
                self.store(waiting)
        elif sequence and answer.up_to >= sequence and not answer.is_open:
            self._lose(waiting)

    def _lose(self, waiting: Waiting) -> None:
        if not waiting.future.done():
            waiting.future.set_exception(_lost(waiting.execution))

    def give_up(self) -> None:
        """End every wait: this gateway is about to stop, the executions are not."""
        for waiting in self._open.values():
            if not waiting.future.done():
                waiting.future.set_exception(_stopping(waiting))

    def stop(self) -> None:
        """Take no more answers."""
        self._subscription.close()
        for task in self._asking:
            task.cancel()


def _too_many() -> ProblemError:
    return ProblemError(
        503,
        f"{WAITING_MAX:,} requests wait for the answers of their executions already",
        remedy="try again in a moment, or let the workflow respond immediately",
        retry_after_s=1,
    )


def _out_of_time(waiting: Waiting) -> ProblemError:
    return ProblemError(
        504,
        f"the execution has not answered yet; {_fate(waiting)}",
        remedy=f"see how it is with GET /api/v1/executions/{waiting.execution}",
        execution=waiting.execution,
    )


def _stopping(waiting: Waiting) -> ProblemError:
    # No 503: that invites to try again, and this one has been started, or may have been.
    return ProblemError(
        504,
        f"this gateway stops before the execution has answered; {_fate(waiting)}",
        remedy=f"see how it is with GET /api/v1/executions/{waiting.execution}",
        execution=waiting.execution,
    )


def _fate(waiting: Waiting) -> str:
    # What went straight to the owner is most likely there, but only the owner knows.
    return "it goes on" if waiting.sequence else "it goes on if it was started"


def _lost(execution: str) -> ProblemError:
    return ProblemError(
        502,
        "the execution ended, but its answer was lost with the process that had it",
        remedy=f"see what it put out with GET /api/v1/executions/{execution}",
        execution=execution,
    )
