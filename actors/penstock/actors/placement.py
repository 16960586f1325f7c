"""Placement: which host owns which partition, agreed on without asking anybody.

Every host tells that it lives, what it owns and whether it is leaving; from the same signs every
host computes the same answer by rendezvous hashing with room for a fair share only: hashing alone
gives one of eight hosts twice what is fair, and its core is then the limit of all. Adding or losing
a host moves its share and, for the fairness, somewhat more (measured: of 16 partitions on four
hosts, 4 and 1.3). A sign of life is a lease of one second. It decides who *tries*: who may write is
decided by the fencing of the journal alone, so hosts that disagree for a moment do no harm.

Silence tells of a death only to who can hear. A host hears its own signs of life through the
broker as well, and a lease runs out in the time for which they came back: an outage, a broker that
stands still or a stop of the host itself take no lease from anybody, and leave the others 0.4 s to
be heard when it is over. Whoever needs longer to get its connection back passes for dead.
"""

import math
import zlib
from collections.abc import Callable
from functools import lru_cache

from penstock.subjects import names
from penstock.subjects.bus import Bus, Message
from penstock.subjects.clock import Clock
from penstock.subjects.codec import Codec, CodecError
from penstock.subjects.messages import Heartbeat

LEASE_S = 1.0
BEAT_S = 0.25
ECHO_S = 0.35
"""How long a host counts as hearing after an own sign of life came back: until the next is due, and
a little, since a busy loop is late."""

HEARTBEATS: Codec[Heartbeat] = Codec(Heartbeat)


@lru_cache(maxsize=8)
def owners(partitions: int, hosts: frozenset[str]) -> tuple[str, ...]:
    """The host that should own each partition; all own as many, or one more than others.

    The pairs of host and partition with the highest hashes come first.
    """
    fair, larger = divmod(partitions, len(hosts))
    pairs = [
        (zlib.crc32(f"{host}/{number}".encode()), host, number)
        for host in hosts
        for number in range(partitions)
    ]
    owned = dict.fromkeys(hosts, 0)
    found: dict[int, str] = {}
    for _, host, number in sorted(pairs, reverse=True):
        has_room = owned[host] < fair or (owned[host] == fair and larger > 0)
        if number in found or not has_room:
            continue
        larger -= owned[host] == fair
        owned[host] += 1
        found[number] = host
    return tuple(found[number] for number in range(partitions))


class Membership:
    """The actor hosts that live, this one included."""

    def __init__(self, bus: Bus, clock: Clock, own: Heartbeat) -> None:
        self.own = own
        self._bus = bus
        self._clock = clock
        self._heard: dict[str, tuple[Heartbeat, float]] = {}
        self._listened_s = 0.0
        self._echo_s = -math.inf
        self._hooks: list[Callable[[], None]] = []
        self._is_closed = False
        self._subscription = bus.subscribe("hb.actors.*", self._on_beat)
        bus.on_connection(self._on_connection)

    def on_change(self, hook: Callable[[], None]) -> None:
        """Call `hook` when another host says something new."""
        self._hooks.append(hook)

    def beat(self) -> None:
        """Tell that this host lives."""
        subject = names.heartbeat("actors", self.own.id)
        self._bus.publish(subject, HEARTBEATS.encode(self.own))

    def close(self) -> None:
        """Listen no more."""
        self._is_closed = True
        self._subscription.close()

    def others(self) -> list[Heartbeat]:
        """The other hosts whose lease holds."""
        since = self._hearing_s() - LEASE_S
        self._heard = {host: heard for host, heard in self._heard.items() if heard[1] > since}
        return [beat for beat, _ in self._heard.values()]

    @property
    def is_deaf(self) -> bool:
        """Whether this host's own signs of life do not come back, so it knows nothing of others."""
        return self._clock.monotonic_s() - self._echo_s > LEASE_S

    def wanted(self, partitions: int) -> set[int]:
        """The partitions that this host should own."""
        hosts = [beat.id for beat in self.others() if not beat.draining]
        if self.own.draining:
            return set() if hosts else set(self.own.owns)
        hosts.append(self.own.id)
        found = owners(partitions, frozenset(hosts))
        return {number for number, host in enumerate(found) if host == self.own.id}

    def claimed(self) -> set[int]:
        """The partitions that others say they own."""
        return {partition for beat in self.others() for partition in beat.owns}

    def _on_connection(self, is_connected: bool) -> None:
        """After an outage all hosts listen for each other at once; a whole beat would be long."""
        if is_connected and not self._is_closed:
            self.beat()

    def _hearing_s(self) -> float:
        """A clock that stands still while this host's own signs of life do not come back."""
        return self._listened_s + min(self._clock.monotonic_s() - self._echo_s, ECHO_S)

    def _on_beat(self, message: Message) -> None:
        try:
            beat = HEARTBEATS.decode(message.payload)
        except CodecError:
            return
        if beat.id == self.own.id:
            self._listened_s, self._echo_s = self._hearing_s(), self._clock.monotonic_s()
            return
        known = self._heard.get(beat.id)
        self._heard[beat.id] = (beat, self._hearing_s())
        if known is None:
            self.beat()  # a newcomer need not wait a whole beat to know us
        if known is None or known[0] != beat:
            for hook in self._hooks:
                hook()
