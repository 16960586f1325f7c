"""Healing: what is done about a cluster whose parts live and do not move.

Two faults outlast everything that the brokers do for themselves. A stream can be led by a server
that reports it healthy and does not move it; the canaries of the actor hosts find that, since they
publish and read back. A server can stand still without ending (swapping, a stopped process); its
peers elect another leader, but nobody brings it back.

The cure is the smallest that may help, and one at a time: first the stream's leader steps down,
which costs some ten milliseconds; when that did not help, the server that led it is restarted. No
server is restarted while another is away, since that would stop the cluster.

Pure: it is told what was heard and seen, with the time, and says what to do.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from penstock.supervisor.broker import Standing

HEARD_S = 2.0
"""For how long a heartbeat's word counts."""

PATIENCE_S = 4.0
"""How long an alarm must last: longer than a canary's round takes to take a false one back."""

GRACE_S = 9.0
"""How long a cure is given: an election and a canary's round."""

FROZEN_S = 8.0
"""How long a server may be silent before it is restarted."""


@dataclass(frozen=True, slots=True)
class Cure:
    """One thing to do: make `server` step down as the leader of `stream`, or restart it."""

    kind: Literal["step down", "restart"]
    server: str
    stream: str = ""
    why: str = ""


@dataclass(slots=True)
class _Alarm:
    since_s: float
    heard_s: float
    stepped_down: str = ""


@dataclass(slots=True)
class Healing:
    """What is known of the cluster's faults, and since when."""

    _alarms: dict[str, _Alarm] = field(default_factory=dict)
    _silent: dict[str, float] = field(default_factory=dict)
    _quiet_until_s: float = 0.0

    @property
    def is_alarmed(self) -> bool:
        """Whether some stream is said to be wedged."""
        return bool(self._alarms)

    def heard(self, wedged: Collection[str], now_s: float) -> None:
        """A host's heartbeat names these streams as wedged."""
        for stream in wedged:
            alarm = self._alarms.setdefault(stream, _Alarm(now_s, now_s))
            alarm.heard_s = now_s

    def seen(self, serving: Mapping[str, bool], now_s: float) -> None:
        """Which servers accept clients just now."""
        for server, serves in serving.items():
            if serves:
                self._silent.pop(server, None)
            else:
                self._silent.setdefault(server, now_s)

    def cure(self, standings: Mapping[str, Standing], now_s: float) -> Cure | None:
        """What to do now, if anything; it counts as done. `standings` may be empty: unknown."""
        self._forget(now_s)
        if now_s < self._quiet_until_s:
            return None
        cure = self._for_server(now_s) or self._for_stream(standings, now_s)
        if cure is not None:
            self._quiet_until_s = now_s + GRACE_S
        return cure

    def _forget(self, now_s: float) -> None:
        for stream, alarm in list(self._alarms.items()):
            if now_s - alarm.heard_s > HEARD_S:
                del self._alarms[stream]

    def _for_server(self, now_s: float) -> Cure | None:
        if len(self._silent) != 1:
            return None  # all is well, or more is wrong than a restart may make worse
        [(server, since_s)] = self._silent.items()
        if now_s - since_s < FROZEN_S:
            return None
        del self._silent[server]
        return Cure("restart", server, why=f"silent for {now_s - since_s:.0f} s")

    def _for_stream(self, standings: Mapping[str, Standing], now_s: float) -> Cure | None:
        for stream, alarm in self._alarms.items():
            standing = standings.get(stream)
            if now_s - alarm.since_s < PATIENCE_S or standing is None or not standing.leader:
                continue  # too young, or an election is under way
            why = f"stream {stream} has not moved for {now_s - alarm.since_s:.0f} s"
            if not alarm.stepped_down:
                alarm.stepped_down = standing.leader
                return Cure("step down", standing.leader, stream, why)
            server, alarm.stepped_down = alarm.stepped_down, ""
            others = standing.complete - {server}
            if not self._silent and len(others) > len(standing.complete) // 2:
                return Cure("restart", server, stream, why)
        return None
