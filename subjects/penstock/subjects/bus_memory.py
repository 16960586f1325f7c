"""The bus in process: many clients on one `MemoryBroker`.

    broker = MemoryBroker(Faults(random=Random(seed), lost_ack=0.01))
    bus = MemoryBus(broker)
    await ensure(bus, "local", Budget(file_bytes=1 << 30))

Nothing is called back inside the call that caused it: deliveries and acknowledgements wait for the
event loop, and those that wait together are one batch, as on a socket. There are no tasks and no
sleeps in here, so a virtual-time loop drives it deterministically.
"""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Callable
from functools import partial

from penstock.subjects.bus import Ack, Message, OnAck, OnMessage, Subscription
from penstock.subjects.errors import BusError, StreamFullError, WrongLastSequenceError
from penstock.subjects.memory_broker import MemoryBroker, MemoryStream, Stored
from penstock.subjects.memory_clients import MemoryBucket, MemoryFollow, MemoryWork
from penstock.subjects.streams import ConsumerSpec, StreamSpec

ACK_TIMEOUT_S = 2.0
_REFUSAL_S = 0.05
_LOST = "the connection was lost: it may have been stored"
_LATE = "no acknowledgement in time: it may have been stored"

log = logging.getLogger("penstock.bus")
_inboxes = itertools.count(1)


class _Closing:
    """A subscription that ends by calling a function once."""

    def __init__(self, end: Callable[[], object]) -> None:
        self._end = end
        self.is_closed = False

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._end()


class MemoryBus:
    """A `Bus` and a `StreamAdmin`."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.broker = broker
        self._is_connected = True
        self._is_closed = False
        self._arrived: deque[Callable[[], None]] = deque()
        self._is_scheduled = False
        self._batch_hooks: list[Callable[[], None]] = []
        self._connection_hooks: list[Callable[[bool], None]] = []
        self._waiting: dict[int, OnAck] = {}
        self._numbers = itertools.count(1)
        self._follows: list[MemoryFollow] = []
        self._works: list[MemoryWork] = []
        self._open: set[_Closing] = set()

    @property
    def is_connected(self) -> bool:
        return self._is_connected

    def disconnect(self) -> None:
        """Lose the connection: what is under way is lost, appends answer `BusError`."""
        if not self._is_connected:
            return
        self._is_connected = False
        self._arrived.clear()
        for work in self._works:
            work.withdraw()
        waiting, self._waiting = self._waiting, {}
        for on_ack in waiting.values():
            on_ack(BusError(_LOST))
        for hook in tuple(self._connection_hooks):
            hook(False)

    def reconnect(self) -> None:
        """Get the connection back: followers go on after what they were given last."""
        if self._is_connected or self._is_closed:
            return
        self._is_connected = True
        for follow in self._follows:
            follow.restart()
        for work in self._works:
            work.restart()
        for hook in tuple(self._connection_hooks):
            hook(True)

    def publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        if self._is_connected:
            self.broker.publish(Message(subject, payload, 0, reply))

    def offer(self, subject: str, payload: bytes, on_nobody: Callable[[], None]) -> None:
        if self._is_connected and not self.broker.publish(Message(subject, payload)):
            self._later(0.0, on_nobody)

    def append(
        self,
        subject: str,
        payload: bytes,
        on_ack: OnAck,
        *,
        message_id: str = "",
        expected_last: int | None = None,
    ) -> None:
        if not self._is_connected:
            self._later(_REFUSAL_S, partial(on_ack, BusError("the broker is not reachable")))
            return
        faults = self.broker.faults
        number = next(self._numbers)
        self._waiting[number] = on_ack
        stream = self.broker.stream_of(subject)

        def store() -> None:
            answer = self._stored(stream, subject, payload, message_id, expected_last)
            delay_s = faults.delay_s("late_ack")
            if isinstance(answer, Ack) and faults.happens("lost_ack"):
                answer = BusError(_LATE)
                delay_s = ACK_TIMEOUT_S
            self.arrive(partial(self._answer, number, answer), delay_s)

        if stream is not None and stream.spec.name in faults.stalled_streams:
            faults.happened["stalled"] += 1
            self._later(ACK_TIMEOUT_S, partial(self._answer, number, BusError(_LATE)))
            self.broker.keep_for_later(stream.spec.name, store)
        else:
            store()

    def _stored(
        self,
        stream: MemoryStream | None,
        subject: str,
        payload: bytes,
        message_id: str,
        expected_last: int | None,
    ) -> Ack | BusError:
        faults = self.broker.faults
        if stream is None:
            return BusError(f"no stream holds {subject}")
        if faults.happens("refused"):
            return BusError("refused by a fault")
        if stream.spec.name in faults.full_streams:
            faults.happened["full"] += 1
            return StreamFullError("maximum bytes exceeded")
        try:
            return stream.append(
                subject, payload, message_id=message_id, expected_last=expected_last
            )
        except BusError as error:
            return error

    def subscribe(self, subject: str, on_message: OnMessage, queue: str = "") -> Subscription:
        def deliver(message: Message) -> None:
            if self._is_connected:
                self.arrive(partial(receive, message), self.delivery_delay_s())

        def receive(message: Message) -> None:
            if not subscription.is_closed:
                on_message(message)

        number = self.broker.subscribe(subject, queue, deliver)
        subscription = self._opened(lambda: self.broker.subscribers.pop(number, None))
        return subscription

    def follow(self, stream: str, subject: str, start: int, on_message: OnMessage) -> Subscription:
        return self.follow_stored(stream, subject, start, lambda stored: on_message(stored.message))

    def follow_stored(
        self, stream: str, subject: str, start: int, receive: Callable[[Stored], None]
    ) -> Subscription:
        """`follow`, with all that the broker knows of a message."""
        find = partial(self.broker.stream, stream)
        follow = MemoryFollow(self, find, subject, start=start, receive=receive)
        self._follows.append(follow)
        follow.restart()

        def end() -> None:
            self._follows.remove(follow)
            follow.close()

        return self._opened(end)

    async def work(self, stream: str, name: str, subject: str, on_message: OnMessage) -> MemoryWork:
        self._check_connected()
        spec = ConsumerSpec(stream=stream, name=name, subject=subject)
        work = MemoryWork(self, partial(self.broker.consumer, spec), on_message)
        self._works.append(work)
        self._opened(work.close)
        return work

    async def request(self, subject: str, payload: bytes, timeout_s: float = 2.0) -> bytes:
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def on_answer(message: Message) -> None:
            if not answered.done():
                answered.set_result(message.payload)

        inbox = f"_INBOX.memory.{next(_inboxes)}"
        subscription = self.subscribe(inbox, on_answer)
        try:
            if not self._is_connected or not self.broker.publish(
                Message(subject, payload, 0, inbox)
            ):
                raise BusError(f"nobody answers on {subject}")
            async with asyncio.timeout(timeout_s):
                return await answered
        except TimeoutError as error:
            raise BusError(f"no answer on {subject} in time") from error
        finally:
            subscription.close()

    async def last(self, stream: str, subject: str) -> Message | None:
        self._check_connected()
        stored = self.broker.stream(stream).last(subject)
        return stored.message if stored is not None else None

    async def holds(self, stream: str, sequence: int) -> bool:
        self._check_connected()
        return sequence in self.broker.stream(stream).messages

    async def purge(self, stream: str, subject: str, before: int = 0) -> None:
        self._check_connected()
        self.broker.stream(stream).purge(subject, before)

    async def info(self, stream: str) -> dict[str, int]:
        self._check_connected()
        found = self.broker.stream(stream)
        return {
            "messages": len(found.messages),
            "bytes": found.bytes,
            "bytes_max": found.max_bytes,
            "first": min(found.messages, default=found.last_sequence + 1),
            "last": found.last_sequence,
            "consumers": len(found.listeners),
            "created": found.created,
        }

    def bucket(self, name: str) -> MemoryBucket:
        return MemoryBucket(self, name)

    def on_batch(self, hook: Callable[[], None]) -> None:
        self._batch_hooks.append(hook)

    def on_connection(self, hook: Callable[[bool], None]) -> None:
        self._connection_hooks.append(hook)

    async def close(self) -> None:
        self._connection_hooks.clear()
        for subscription in tuple(self._open):
            subscription.close()
        self._open.clear()
        self.disconnect()
        self._is_closed = True

    async def declare_stream(self, spec: StreamSpec, max_bytes: int) -> None:
        self.broker.declare(spec, max_bytes)

    async def declare_consumer(self, spec: ConsumerSpec) -> None:
        self.broker.consumer(spec)

    def store_entry(
        self, stream: str, subject: str, value: bytes | None, revision: int | None
    ) -> int:
        """Write a bucket's entry; `value` None deletes, `revision` is what it must be now."""
        self._check_connected()
        held = self.broker.stream(stream)
        last = held.last(subject)
        if revision is not None and revision != (last.message.sequence if last else 0):
            raise WrongLastSequenceError(f"wrong last sequence of {subject}")
        if stream in self.broker.faults.full_streams:
            raise StreamFullError("maximum bytes exceeded")
        now = asyncio.get_running_loop().time()
        return held.store(subject, value or b"", now, is_deletion=value is None)

    def last_stored(self, stream: str, subject: str) -> Stored | None:
        """The newest message of a subject."""
        self._check_connected()
        return self.broker.stream(stream).last(subject)

    def last_sequence(self, stream: str) -> int:
        """The sequence of the newest message that the stream still holds, or 0."""
        return max(self.broker.stream(stream).messages, default=0)

    def delivery_delay_s(self) -> float:
        """How long the next delivery takes, by the faults."""
        return self.broker.faults.delay_s("delayed")

    def _opened(self, end: Callable[[], object]) -> _Closing:
        subscription = _Closing(end)
        self._open.add(subscription)
        return subscription

    def _check_connected(self) -> None:
        if not self._is_connected:
            raise BusError("the broker is not reachable")

    def _answer(self, number: int, answer: Ack | Exception) -> None:
        on_ack = self._waiting.pop(number, None)
        if on_ack is not None:
            on_ack(answer)

    def _later(self, delay_s: float, action: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(delay_s, action)

    def arrive(self, action: Callable[[], None], delay_s: float = 0.0) -> None:
        """Let something come in, now (with all else that comes in this tick) or later."""
        if delay_s:
            self._later(delay_s, partial(self.arrive, action))
            return
        self._arrived.append(action)
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        self._is_scheduled = False
        arrived, self._arrived = self._arrived, deque()
        if not self._is_connected:
            return
        for action in (*arrived, *self._batch_hooks):
            try:
                action()
            except Exception:
                log.exception("a receiver failed")
