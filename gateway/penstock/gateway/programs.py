"""Who is alive: every program's heartbeats as this gateway hears them, and its own.

Used for people only. Who may write is decided by fencing in the stream, never by heartbeats.
"""

import asyncio
import os

from penstock.subjects import names
from penstock.subjects.bus import Bus, Message
from penstock.subjects.clock import Clock
from penstock.subjects.codec import Codec, CodecError
from penstock.subjects.messages import Heartbeat

BEAT_S = 1.0
FORGET_MS = 15_000

heartbeats: Codec[Heartbeat] = Codec(Heartbeat)


class Programs:
    """The programs heard lately, by kind and id, with the time of the last sign of life."""

    def __init__(self, bus: Bus, clock: Clock, *, gateway: str) -> None:
        self._bus = bus
        self._clock = clock
        self._own = Heartbeat("gateway", gateway, os.getpid(), clock.now_ms())
        self._heard: dict[tuple[str, str], tuple[Heartbeat, int]] = {}
        self._subscription = bus.subscribe("hb.>", self._on_beat)

    def alive(self) -> list[tuple[Heartbeat, int]]:
        """Programs heard lately, and how many milliseconds ago."""
        now_ms = self._clock.now_ms()
        self._heard = {
            key: entry for key, entry in self._heard.items() if now_ms - entry[1] < FORGET_MS
        }
        return [(beat, max(0, now_ms - at_ms)) for beat, at_ms in self._heard.values()]

    async def beat(self) -> None:
        """Run for ever: tell that this gateway lives."""
        while True:
            self.tell()
            await asyncio.sleep(BEAT_S)

    def tell(self, *, draining: bool = False) -> None:
        """Tell it once, at once."""
        self._own.draining = draining
        subject = names.heartbeat("gateway", self._own.id)
        self._bus.publish(subject, heartbeats.encode(self._own))

    def stop(self) -> None:
        """Listen no more."""
        self._subscription.close()

    def _on_beat(self, message: Message) -> None:
        try:
            beat = heartbeats.decode(message.payload)
        except CodecError:
            return
        self._heard[beat.kind, beat.id] = beat, self._clock.now_ms()
