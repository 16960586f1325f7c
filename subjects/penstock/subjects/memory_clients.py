"""What a `MemoryBus` hands out: followers, workers and buckets on a `MemoryBroker`.

Each gets `arrive`, the bus's way to let something come in on the event loop, so that none of them
calls back inside the call that caused it.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Protocol

from penstock.subjects.bus import KvEntry, Message, OnMessage, Subscription
from penstock.subjects.errors import WrongLastSequenceError
from penstock.subjects.memory_broker import MemoryStream, Stored, WorkConsumer, matches
from penstock.subjects.nats_bucket import checked_key

OnStored = Callable[[Stored], None]


class Client(Protocol):
    """The part of `MemoryBus` that its followers and workers lean on."""

    @property
    def is_connected(self) -> bool: ...

    def arrive(self, action: Callable[[], None], delay_s: float = 0.0) -> None: ...

    def delivery_delay_s(self) -> float: ...


class MemoryFollow:
    """One follower: in order, without gaps, however late; goes on where it was after an outage."""

    def __init__(
        self,
        client: Client,
        find: Callable[[], MemoryStream],
        subject: str,
        *,
        start: int,
        receive: OnStored,
    ) -> None:
        self._client = client
        self._find = find
        self._stream = find()
        self._subject = subject
        self._next = max(start, 1)
        self._receive = receive
        self._queue: deque[Stored] = deque()
        self._is_scheduled = False
        self._generation = 0
        self._stream.listeners.append(self._on_stored)

    def close(self) -> None:
        self._generation += 1
        if self._on_stored in self._stream.listeners:
            self._stream.listeners.remove(self._on_stored)

    def restart(self) -> None:
        """Read again from where the receiver is."""
        self._generation += 1
        self._is_scheduled = False
        found = self._find()
        if found is not self._stream:  # it was lost: the one of that name is read from its start
            self._stream = found
            self._stream.listeners.append(self._on_stored)
            self._next = 1
        self._queue = deque(self._stream.since(self._next, self._subject))
        self._schedule()

    def _on_stored(self, stored: Stored) -> None:
        if self._client.is_connected and matches(self._subject, stored.message.subject):
            self._queue.append(stored)
            self._schedule()

    def _schedule(self) -> None:
        if self._queue and not self._is_scheduled:
            self._is_scheduled = True
            drain = partial(self._drain, self._generation)
            self._client.arrive(drain, self._client.delivery_delay_s())

    def _drain(self, generation: int) -> None:
        if generation != self._generation:
            return
        self._is_scheduled = False
        queue, self._queue = self._queue, deque()
        for stored in queue:
            if generation != self._generation:
                return
            self._next = stored.message.sequence + 1
            self._receive(stored)


class MemoryWork:
    """One worker of a durable consumer."""

    def __init__(
        self, client: Client, find: Callable[[], WorkConsumer], on_message: OnMessage
    ) -> None:
        self._client = client
        self._find = find
        self._consumer = find()
        self._on_message = on_message
        self._wanted = 0
        self._is_closed = False
        self._unsaid: list[Message] = []

    def close(self) -> None:
        self._is_closed = True
        self.withdraw()

    def offer(self, slots: int) -> None:
        self._wanted += slots
        self._wait(slots)

    def ack(self, message: Message) -> None:
        if not self._client.is_connected:
            self._unsaid.append(message)
        elif self._is_known(message):
            self._consumer.ack(message)

    def nak(self, message: Message) -> None:
        if self._client.is_connected and self._is_known(message):
            self._consumer.nak(message)

    def progress(self, message: Message) -> None:
        if self._client.is_connected and self._is_known(message):
            self._consumer.progress(message)

    def restart(self) -> None:
        """Say what could not be said in an outage, and ask again for what is still wanted."""
        self.withdraw()
        self._consumer = self._find()
        unsaid, self._unsaid = self._unsaid, []
        for message in unsaid:
            self.ack(message)
        self._wait(self._wanted)

    def _is_known(self, message: Message) -> bool:
        """Whether the stream that gave it out is still there."""
        return message.reply == self._consumer.reply

    def withdraw(self) -> None:
        """Ask for nothing."""
        workers = self._consumer.workers
        self._consumer.workers = deque(w for w in workers if w[0] is not self)

    def _wait(self, slots: int) -> None:
        if not self._is_closed and self._client.is_connected:
            self._consumer.workers.extend((self, self._take) for _ in range(slots))
            self._consumer.take()

    def _take(self, message: Message) -> None:
        self._client.arrive(partial(self._receive, message), self._client.delivery_delay_s())

    def _receive(self, message: Message) -> None:
        if not self._is_closed:
            self._wanted -= 1
            self._on_message(message)


class BucketClient(Client, Protocol):
    """The part of `MemoryBus` that its buckets lean on."""

    def store_entry(
        self, stream: str, subject: str, value: bytes | None, revision: int | None
    ) -> int: ...

    def last_sequence(self, stream: str) -> int:
        """The sequence of the newest message that the stream still holds, or 0."""

    def last_stored(self, stream: str, subject: str) -> Stored | None: ...

    def follow_stored(
        self, stream: str, subject: str, start: int, receive: OnStored
    ) -> Subscription: ...


class MemoryBucket:
    """See `Bucket`."""

    def __init__(self, client: BucketClient, name: str) -> None:
        self._client = client
        self._stream = f"KV_{name}"
        self._prefix = f"$KV.{name}."

    async def get(self, key: str) -> KvEntry | None:
        stored = self._client.last_stored(self._stream, self._subject(key))
        return None if stored is None or stored.is_deletion else self._entry(stored)

    async def put(self, key: str, value: bytes) -> int:
        return self._client.store_entry(self._stream, self._subject(key), value, None)

    async def create(self, key: str, value: bytes) -> int:
        stored = self._client.last_stored(self._stream, self._subject(key))
        if stored is not None and not stored.is_deletion:
            raise WrongLastSequenceError(f"{key} exists")
        revision = stored.message.sequence if stored is not None else 0
        return await self.update(key, value, revision)

    async def update(self, key: str, value: bytes, revision: int) -> int:
        return self._client.store_entry(self._stream, self._subject(key), value, revision)

    async def delete(self, key: str, revision: int | None = None) -> int:
        return self._client.store_entry(self._stream, self._subject(key), None, revision)

    async def watch(self) -> AsyncIterator[KvEntry | None]:
        told: asyncio.Queue[KvEntry | None] = asyncio.Queue()
        # Followers deliver on a later tick, so what is stored now is what they begin with.
        last_present = self._client.last_sequence(self._stream)
        told_present = not last_present

        def receive(stored: Stored) -> None:
            nonlocal told_present
            if told_present or not stored.is_deletion:
                told.put_nowait(self._entry(stored))
            if not told_present and stored.message.sequence >= last_present:
                told_present = True
                told.put_nowait(None)

        subscription = self._client.follow_stored(self._stream, self._prefix + ">", 1, receive)
        if told_present:
            told.put_nowait(None)
        try:
            while True:
                yield await told.get()
        finally:
            subscription.close()

    def _subject(self, key: str) -> str:
        return self._prefix + checked_key(key)

    def _entry(self, stored: Stored) -> KvEntry:
        message = stored.message
        value = None if stored.is_deletion else message.payload
        return KvEntry(message.subject[len(self._prefix) :], value, message.sequence)
