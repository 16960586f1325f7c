"""Live events for people: the tenant's taps, kept for a while so that watchers can reconnect.

Every event gets an id `<gateway>-<number>`. Who comes back with `Last-Event-ID` is given what the
ring still holds after it, and otherwise a `gap` event that says something may be missing. Taps are
lossy by contract: a watcher that reads too slowly misses events, is told by a `gap`, and slows
nobody else. While nobody watches, nothing is subscribed. Ring and queues are bounded by count and
by bytes: an event may carry a long error.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncGenerator
from typing import NamedTuple

from penstock.gateway.metrics import Metrics
from penstock.subjects import names
from penstock.subjects.bus import Bus, Message, Subscription

RING_EVENTS, RING_BYTES = 10_000, 16 << 20
QUEUE_EVENTS, QUEUE_BYTES = 2_000, 4 << 20
LINGER_S = 60.0
QUIET_S = 15.0


class LiveEvent(NamedTuple):
    """A tap's message. `number` is its place in this gateway's sequence; JSON as it came."""

    number: int
    workflow: str
    execution: str
    kind: str
    data: bytes


class Filter(NamedTuple):
    """What a watcher wants to see; empty: everything."""

    workflow: str = ""
    execution: str = ""

    def passes(self, event: LiveEvent) -> bool:
        """Whether it wants this event."""
        return (not self.workflow or self.workflow == event.workflow) and (
            not self.execution or self.execution == event.execution
        )


class Latest:
    """The latest events, as many as may be held."""

    def __init__(self, *, events_max: int, bytes_max: int) -> None:
        self.events: deque[LiveEvent] = deque()
        self._events_max = events_max
        self._bytes_max = bytes_max
        self._bytes = 0

    def append(self, event: LiveEvent) -> int:
        """Add an event; how many older ones went for it. One alone is held whatever its size."""
        self.events.append(event)
        self._bytes += len(event.data)
        dropped = 0
        while len(self.events) > self._events_max or (
            self._bytes > self._bytes_max and len(self.events) > 1
        ):
            self.pop()
            dropped += 1
        return dropped

    def pop(self) -> LiveEvent:
        """Take the oldest out."""
        event = self.events.popleft()
        self._bytes -= len(event.data)
        return event

    def clear(self) -> None:
        """Hold nothing."""
        self.events.clear()
        self._bytes = 0


class Watcher:
    """One open event stream: a bounded queue of what it has not been given yet."""

    def __init__(self, wanted: Filter) -> None:
        self.wanted = wanted
        self.queue = Latest(events_max=QUEUE_EVENTS, bytes_max=QUEUE_BYTES)
        self.has_gap = False
        self.wake = asyncio.Event()

    def offer(self, event: LiveEvent) -> int:
        """Queue an event; how many were dropped for it."""
        dropped = self.queue.append(event)
        self.has_gap = self.has_gap or dropped > 0
        self.wake.set()
        return dropped


class Taps:
    """The live feed of one tenant, shared by its watchers."""

    def __init__(self, bus: Bus, *, tenant: str, gateway: str, metrics: Metrics) -> None:
        self._bus = bus
        self._subject = f"tap.{names.token(tenant)}.>"
        self._gateway = gateway
        self._metrics = metrics
        self._numbers = itertools.count(1)
        self._ring = Latest(events_max=RING_EVENTS, bytes_max=RING_BYTES)
        self._watchers: set[Watcher] = set()
        self._subscription: Subscription | None = None
        self._lingering: asyncio.TimerHandle | None = None
        self._is_stopped = False

    async def watch(self, wanted: Filter, last_id: str) -> AsyncGenerator[bytes, None]:
        """Server-sent events from after `last_id` on, until the gateway stops."""
        watcher = Watcher(wanted)
        self._join(watcher, last_id)
        try:
            yield b"retry: 1000\n\n"
            while not self._is_stopped:
                watcher.wake.clear()
                if watcher.has_gap:
                    watcher.has_gap = False
                    yield b"event: gap\ndata: {}\n\n"
                while watcher.queue.events:
                    yield self._text(watcher.queue.pop())
                try:
                    async with asyncio.timeout(QUIET_S):
                        await watcher.wake.wait()
                except TimeoutError:
                    yield b": quiet\n\n"
        finally:
            self._leave(watcher)

    def stop(self) -> None:
        """End every watcher's stream."""
        self._is_stopped = True
        for watcher in self._watchers:
            watcher.wake.set()
        self._unsubscribe()

    def _join(self, watcher: Watcher, last_id: str) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        self._watchers.add(watcher)
        self._metrics.watchers = len(self._watchers)
        if self._subscription is None:
            self._subscription = self._bus.subscribe(self._subject, self._on_tap)
        if not last_id:
            return
        gateway, _, text = last_id.rpartition("-")
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 18 else -1
        oldest = self._ring.events[0].number if self._ring.events else 0
        if gateway != self._gateway or number < 0 or not oldest or number + 1 < oldest:
            watcher.has_gap = True
            return
        for event in self._ring.events:
            if event.number > number and watcher.wanted.passes(event):
                watcher.offer(event)

    def _leave(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)
        self._metrics.watchers = len(self._watchers)
        if not self._watchers and not self._is_stopped:
            # Somebody whose connection broke comes back within moments and wants no gap.
            loop = asyncio.get_running_loop()
            self._lingering = loop.call_later(LINGER_S, self._unsubscribe)

    def _unsubscribe(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None
            self._ring.clear()

    def _on_tap(self, message: Message) -> None:
        tokens = message.subject.split(".")
        if len(tokens) != 5:
            return
        event = LiveEvent(
            next(self._numbers), tokens[2], tokens[3], tokens[4], _one_line(message.payload)
        )
        self._metrics.tap_events += 1
        self._ring.append(event)
        for watcher in self._watchers:
            if watcher.wanted.passes(event):
                self._metrics.tap_events_dropped += watcher.offer(event)

    def _text(self, event: LiveEvent) -> bytes:
        head = f"id: {self._gateway}-{event.number}\nevent: {event.kind}\ndata: "
        return head.encode() + event.data + b"\n\n"


def _one_line(data: bytes) -> bytes:
    # JSON may have line breaks between its tokens only, where they mean nothing.
    return data.replace(b"\r", b" ").replace(b"\n", b" ")
