"""The broker inside a process: what a JetStream server keeps, without server, disk or threads.

It serves tests, the simulator and `penstock run`. It keeps the promises of `bus.py` and the traits
that callers must cope with: the expected sequence is checked before deduplication, limits refuse,
work comes again when it is not acknowledged. Time is the event loop's, so under a virtual-time
loop a duplicate window or an acknowledgement time passes in no time.

Nothing is durable. `Faults` make it misbehave on purpose, from a seed.
"""

import asyncio
import functools
import itertools
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import msgspec

from penstock.subjects.bus import Ack, Message, OnMessage
from penstock.subjects.errors import BusError, StreamFullError, WrongLastSequenceError
from penstock.subjects.streams import ConsumerSpec, StreamSpec


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A message of a stream. `is_deletion`: a bucket's entry was deleted by it."""

    message: Message
    at_s: float
    is_deletion: bool = False


OnStored = Callable[[Stored], None]

_created = itertools.count(1)


@dataclass(slots=True)
class Faults:
    """How often, of 1, something goes wrong; every draw comes from `random`.

    `lost_ack`: stored, but the caller hears `BusError`. `refused`: not stored, `BusError`.
    `late_ack`: the acknowledgement takes up to `late_s`. `duplicate_work`: a work message comes
    twice. `delayed`: a delivery takes up to `late_s`, so subscriptions overtake each other; one
    followed subject stays in order. `full_streams` refuse every append; `stalled_streams` take
    appends and neither store nor answer them until they time out, see also `MemoryBroker.stall`.
    `happened` counts what went wrong, by these names.
    """

    random: Random = field(default_factory=lambda: Random(0))
    lost_ack: float = 0.0
    refused: float = 0.0
    late_ack: float = 0.0
    duplicate_work: float = 0.0
    delayed: float = 0.0
    late_s: float = 0.5
    full_streams: set[str] = field(default_factory=set)
    stalled_streams: set[str] = field(default_factory=set)
    happened: Counter[str] = field(default_factory=Counter)

    def happens(self, fault: str) -> bool:
        """One draw. Draws nothing at probability 0, so an unused fault changes no other."""
        probability: float = getattr(self, fault)
        if probability <= 0 or self.random.random() >= probability:
            return False
        self.happened[fault] += 1
        return True

    def delay_s(self, fault: str) -> float:
        """How long something takes: mostly no time."""
        return self.random.uniform(0, self.late_s) if self.happens(fault) else 0.0


@functools.lru_cache(maxsize=65536)
def matches(pattern: str, subject: str) -> bool:
    """Whether a subject falls under a pattern with `*` and `>`."""
    if pattern == subject:
        return True
    wanted, words = pattern.split("."), subject.split(".")
    for index, token in enumerate(wanted):
        if token == ">":
            return len(words) > index
        if index >= len(words) or token not in ("*", words[index]):
            return False
    return len(wanted) == len(words)


class MemoryStream:
    """The messages of one stream, its deduplication window and its listeners."""

    def __init__(self, spec: StreamSpec, max_bytes: int) -> None:
        self.spec = spec
        self.max_bytes = max_bytes
        self.created = next(_created)
        self.last_sequence = 0
        self.bytes = 0
        self.messages: dict[int, Stored] = {}
        self.listeners: list[OnStored] = []
        self._sequences: list[int] = []
        self._last_of: dict[str, int] = {}
        self._seen: dict[str, tuple[int, float]] = {}

    def append(
        self, subject: str, payload: bytes, *, message_id: str, expected_last: int | None
    ) -> Ack:
        """Store, or raise the refusal that the broker would answer."""
        last = self._last_of.get(subject, 0)
        if expected_last is not None and expected_last != last:
            raise WrongLastSequenceError(f"wrong last sequence: {last}")
        now = asyncio.get_running_loop().time()
        self._forget(now)
        if message_id in self._seen:
            return Ack(self._seen[message_id][0], True)
        self._make_room(len(subject) + len(payload), now)
        sequence = self.store(subject, payload, now)
        if message_id:
            self._seen[message_id] = (sequence, now)
        return Ack(sequence)

    def store(self, subject: str, payload: bytes, now: float, *, is_deletion: bool = False) -> int:
        """Store without asking; returns the sequence."""
        self.last_sequence += 1
        sequence = self.last_sequence
        if self.spec.per_subject_max == 1 and subject in self._last_of:
            self.remove(self._last_of[subject])
        stored = Stored(Message(subject, payload, sequence), now, is_deletion)
        self.messages[sequence] = stored
        if len(self._sequences) > 2 * len(self.messages) + 1024:
            self._sequences = list(self.messages)
        else:
            self._sequences.append(sequence)
        self._last_of[subject] = sequence
        self.bytes += len(subject) + len(payload)
        for listener in tuple(self.listeners):
            listener(stored)
        return sequence

    def last(self, subject: str) -> Stored | None:
        """The newest message of exactly this subject."""
        return self.messages.get(self._last_of.get(subject, 0))

    def since(self, start: int, pattern: str) -> list[Stored]:
        """Messages under a pattern from a sequence on."""
        sequences = self._sequences[bisect_left(self._sequences, start) :]
        found = (self.messages.get(sequence) for sequence in sequences)
        return [s for s in found if s is not None and matches(pattern, s.message.subject)]

    def purge(self, pattern: str, before: int) -> None:
        """Remove messages under a pattern; `before` 0: all."""
        for stored in self.since(0, pattern):
            if not before or stored.message.sequence < before:
                self.remove(stored.message.sequence)
        self._sequences = list(self.messages)

    def remove(self, sequence: int) -> None:
        """Remove one message. The last sequence of its subject goes with it, as on the broker."""
        stored = self.messages.pop(sequence, None)
        if stored is None:
            return
        message = stored.message
        self.bytes -= len(message.subject) + len(message.payload)
        if self._last_of.get(message.subject) == sequence:
            del self._last_of[message.subject]

    def _forget(self, now: float) -> None:
        """Drop message ids older than the duplicate window."""
        while self._seen:
            message_id, (_, at_s) = next(iter(self._seen.items()))
            if now - at_s < self.spec.duplicate_window_s:
                break
            del self._seen[message_id]

    def _make_room(self, needed: int, now: float) -> None:
        while self.spec.max_age_s and self.messages:
            oldest = next(iter(self.messages.values()))
            if now - oldest.at_s <= self.spec.max_age_s:
                break
            self.remove(oldest.message.sequence)
        while self.bytes + needed > self.max_bytes:
            if self.spec.discard == "new" or not self.messages:
                raise StreamFullError("maximum bytes exceeded")
            self.remove(next(iter(self.messages)))


class WorkConsumer:
    """A durable work consumer: who waits for work, and what is out."""

    def __init__(self, stream: MemoryStream, spec: ConsumerSpec, faults: Faults) -> None:
        self.spec = spec
        self.reply = f"$ACK.{spec.stream}.{stream.created}"
        """Where its messages are answered: an answer to those of a lost stream finds nobody."""
        self._stream = stream
        self._faults = faults
        self._ready: deque[Message] = deque()
        self._out: dict[int, asyncio.TimerHandle] = {}
        self.workers: deque[tuple[object, OnMessage]] = deque()
        for stored in stream.since(0, spec.subject):
            self._ready.append(stored.message)
        stream.listeners.append(self._on_stored)

    def take(self) -> None:
        """Hand out what is ready to whoever waits, in turn."""
        while self._ready and self.workers:
            message = self._ready.popleft()
            if message.sequence not in self._stream.messages:
                continue
            _, on_message = self.workers.popleft()
            self._start_time(message)
            if self._faults.happens("duplicate_work"):
                self._ready.append(message)
            out = Message(message.subject, message.payload, message.sequence, self.reply)
            on_message(out)

    def ack(self, message: Message) -> None:
        """Done: a work queue forgets it."""
        self._stop_time(message)
        self._stream.remove(message.sequence)

    def nak(self, message: Message) -> None:
        """Not done: next in turn."""
        if message.sequence in self._out:
            self._stop_time(message)
            self._again(message)

    def progress(self, message: Message) -> None:
        """Still at it."""
        if message.sequence in self._out:
            self._stop_time(message)
            self._start_time(message)

    def _on_stored(self, stored: Stored) -> None:
        if matches(self.spec.subject, stored.message.subject):
            self._ready.append(stored.message)
            self.take()

    def _start_time(self, message: Message) -> None:
        self._stop_time(message)
        loop = asyncio.get_running_loop()
        self._out[message.sequence] = loop.call_later(self.spec.ack_wait_s, self._expire, message)

    def _stop_time(self, message: Message) -> None:
        timer = self._out.pop(message.sequence, None)
        if timer is not None:
            timer.cancel()

    def _expire(self, message: Message) -> None:
        self._out.pop(message.sequence, None)
        self._again(message)

    def _again(self, message: Message) -> None:
        self._ready.appendleft(message)
        self.take()


class MemoryBroker:
    """What all `MemoryBus` clients of one world share."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.streams: dict[str, MemoryStream] = {}
        self.consumers: dict[tuple[str, str], WorkConsumer] = {}
        self.subscribers: dict[int, tuple[str, str, OnMessage]] = {}
        self._numbers = iter(range(1, 1 << 62))
        self._turns: dict[str, int] = {}
        self._late: dict[str, list[Callable[[], None]]] = {}

    def declare(self, spec: StreamSpec, max_bytes: int = 1 << 40) -> None:
        """Create a stream, or change its limits."""
        stream = self.streams.get(spec.name)
        if stream is None:
            self.streams[spec.name] = MemoryStream(spec, max_bytes)
        else:
            stream.spec, stream.max_bytes = spec, max_bytes

    def lose(self, name: str) -> None:
        """A stream in memory begins anew, empty, as after a restart of the broker: while every
        client is disconnected. They find the new one when they reconnect."""
        lost = self.stream(name)
        self.streams[name] = MemoryStream(lost.spec, lost.max_bytes)
        for key in [key for key in self.consumers if key[0] == name]:
            del self.consumers[key]

    def stall(self, name: str) -> None:
        """The leader of a stream stands still, as by SIGSTOP: what is appended now is stored when
        it goes on, although its sender has long heard that it was not answered in time."""
        self.faults.stalled_streams.add(name)
        self._late.setdefault(name, [])

    def go_on(self, name: str) -> None:
        """It goes on, with what came in meanwhile first."""
        self.faults.stalled_streams.discard(name)
        for store in self._late.pop(name, ()):
            store()

    def keep_for_later(self, name: str, store: Callable[[], None]) -> None:
        """An append to a stream that stalls; without `stall` it is never stored."""
        if name in self._late:
            self._late[name].append(store)

    def consumer(self, spec: ConsumerSpec) -> WorkConsumer:
        """The durable consumer, made when it is missing."""
        key = (spec.stream, spec.name)
        if key not in self.consumers:
            self.consumers[key] = WorkConsumer(self.stream(spec.stream), spec, self.faults)
        return self.consumers[key]

    def stream(self, name: str) -> MemoryStream:
        """A declared stream."""
        if name not in self.streams:
            raise BusError(f"stream {name} not found")
        return self.streams[name]

    def stream_of(self, subject: str) -> MemoryStream | None:
        """The stream that holds a subject."""
        for stream in self.streams.values():
            if any(matches(pattern, subject) for pattern in stream.spec.subjects):
                return stream
        return None

    def subscribe(self, pattern: str, queue: str, on_message: OnMessage) -> int:
        """A core subscription; the result is its number."""
        number = next(self._numbers)
        self.subscribers[number] = (pattern, queue, on_message)
        return number

    def publish(self, message: Message) -> bool:
        """Deliver to core subscribers, one of each queue group; whether anybody was there."""
        groups: dict[str, list[OnMessage]] = {}
        found = False
        for pattern, queue, on_message in tuple(self.subscribers.values()):
            if not matches(pattern, message.subject):
                continue
            found = True
            if queue:
                groups.setdefault(queue, []).append(on_message)
            else:
                on_message(message)
        for queue, members in groups.items():
            turn = self._turns[queue] = self._turns.get(queue, -1) + 1
            members[turn % len(members)](message)
        return found
