"""Healing: what is done about a cluster whose parts live and do not move.

Three faults outlast everything that the brokers do for themselves. A stream can be led by a server
that reports it healthy and does not move it; the canaries of the actor hosts find that, since they
publish and read back. A server can stand still without ending (swapping, a stopped process); its
peers elect another leader, but nobody brings it back. A server that could not write goes on without
streams.

The cure is the smallest that may help, and one at a time: first the stream's leader steps down,
which costs some ten milliseconds; when that did not help, the server that led it is restarted. No
server is restarted while another is away, since that would stop the cluster. But those without
streams are restarted together, since they are away already; and one that stands still is not left
so for another that is being restarted, which may never get ready without it.

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


BARE_S = 2.0
"""How long a server may be without streams: longer than one that just starts."""


Seen = Literal["serving", "silent", "bare"]
"""A server that accepts clients, one that does not, one that accepts them and has no streams."""


@dataclass(frozen=True, slots=True)
class Cure:
    """One thing to do: make the one of `servers` step down as the leader of `stream`, or restart
    them together."""

    kind: Literal["step down", "restart"]
    servers: tuple[str, ...]
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
    _bare: dict[str, float] = field(default_factory=dict)
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

    def seen(self, servers: Mapping[str, Seen], now_s: float) -> None:
        """How each server looks just now."""
        _note(self._silent, [one for one, seen in servers.items() if seen == "silent"], now_s)
        _note(self._bare, [one for one, seen in servers.items() if seen == "bare"], now_s)

    def cure(
        self, standings: Mapping[str, Standing], now_s: float, *, is_busy: bool = False
    ) -> Cure | None:
        """What to do now, if anything; it counts as done. `standings` may be empty: unknown.
        `is_busy`: a server is being restarted, so that all those that serve have to stay."""
        self._forget(now_s)
        if now_s < self._quiet_until_s:
            return None
        cure = self._for_bare(now_s) or self._for_silent(now_s)
        if cure is None and not is_busy:
            cure = self._for_stream(standings, now_s)
        if cure is not None:
            self._quiet_until_s = now_s + GRACE_S
        return cure

    def _forget(self, now_s: float) -> None:
        for stream, alarm in list(self._alarms.items()):
            if now_s - alarm.heard_s > HEARD_S:
                del self._alarms[stream]

    def _for_bare(self, now_s: float) -> Cure | None:
        if not any(now_s - since_s >= BARE_S for since_s in self._bare.values()):
            return None
        servers = tuple(sorted(self._bare))
        self._bare.clear()
        return Cure("restart", servers, why="without streams, which could not be written")

    def _for_silent(self, now_s: float) -> Cure | None:
        if len(self._silent) != 1:
            return None  # all is well, or more is wrong than a restart may make worse
        [(server, since_s)] = self._silent.items()
        if now_s - since_s < FROZEN_S:
            return None
        del self._silent[server]
        return Cure("restart", (server,), why=f"silent for {now_s - since_s:.0f} s")

    def _for_stream(self, standings: Mapping[str, Standing], now_s: float) -> Cure | None:
        for stream, alarm in self._alarms.items():
            standing = standings.get(stream)
            if now_s - alarm.since_s < PATIENCE_S or standing is None or not standing.leader:
                continue  # too young, or an election is under way
            why = f"stream {stream} has not moved for {now_s - alarm.since_s:.0f} s"
            if not alarm.stepped_down:
                alarm.stepped_down = standing.leader
                return Cure("step down", (standing.leader,), stream, why)
            server, alarm.stepped_down = alarm.stepped_down, ""
            others = standing.complete - {server}
            if not self._silent and len(others) > len(standing.complete) // 2:
                return Cure("restart", (server,), stream, why)
        return None


def _note(since: dict[str, float], servers: Collection[str], now_s: float) -> None:
    """Keep since when each of these has been so, and of no others."""
    for server in since.keys() - set(servers):
        del since[server]
    for server in servers:
        since.setdefault(server, now_s)
