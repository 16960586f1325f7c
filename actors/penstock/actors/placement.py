"""Placement: which host owns which partition, agreed on without asking anybody.

Every host tells that it lives, what it owns and whether it is leaving; from the same signs every
host computes the same answer by rendezvous hashing, so adding or losing one host moves only its
share. A sign of life is a lease of one second. It decides who *tries*: who may write is decided by
the fencing of the journal alone, so hosts that disagree for a moment do no harm.
"""

import zlib
from collections.abc import Callable, Iterable

from penstock.subjects import names
from penstock.subjects.bus import Bus, Message
from penstock.subjects.clock import Clock
from penstock.subjects.codec import Codec, CodecError
from penstock.subjects.messages import Heartbeat

LEASE_S = 1.0
BEAT_S = 0.25

HEARTBEATS: Codec[Heartbeat] = Codec(Heartbeat)


def owner_of(partition: int, hosts: Iterable[str]) -> str:
    """The host that should own `partition`: the one with the highest hash of the pair."""
    return max(hosts, key=lambda host: (zlib.crc32(f"{host}/{partition}".encode()), host))


class Membership:
    """The actor hosts that live, this one included."""

    def __init__(self, bus: Bus, clock: Clock, own: Heartbeat) -> None:
        self.own = own
        self._bus = bus
        self._clock = clock
        self._heard: dict[str, tuple[Heartbeat, float]] = {}
        self._hooks: list[Callable[[], None]] = []
        self._subscription = bus.subscribe("hb.actors.*", self._on_beat)

    def on_change(self, hook: Callable[[], None]) -> None:
        """Call `hook` when another host says something new."""
        self._hooks.append(hook)

    def beat(self) -> None:
        """Tell that this host lives."""
        subject = names.heartbeat("actors", self.own.id)
        self._bus.publish(subject, HEARTBEATS.encode(self.own))

    def close(self) -> None:
        """Listen no more."""
        self._subscription.close()

    def others(self) -> list[Heartbeat]:
        """The other hosts whose lease holds."""
        since = self._clock.monotonic_s() - LEASE_S
        self._heard = {host: heard for host, heard in self._heard.items() if heard[1] > since}
        return [beat for beat, _ in self._heard.values()]

    def wanted(self, partitions: int) -> set[int]:
        """The partitions that this host should own."""
        hosts = [beat.id for beat in self.others() if not beat.draining]
        if self.own.draining:
            return set() if hosts else set(self.own.owns)
        hosts.append(self.own.id)
        return {p for p in range(partitions) if owner_of(p, hosts) == self.own.id}

    def claimed(self) -> set[int]:
        """The partitions that others say they own."""
        return {partition for beat in self.others() for partition in beat.owns}

    def _on_beat(self, message: Message) -> None:
        try:
            beat = HEARTBEATS.decode(message.payload)
        except CodecError:
            return
        if beat.id == self.own.id:
            return
        known = self._heard.get(beat.id)
        self._heard[beat.id] = (beat, self._clock.monotonic_s())
        if known is None:
            self.beat()  # a newcomer need not wait a whole beat to know us
        if known is None or known[0] != beat:
            for hook in self._hooks:
                hook()
