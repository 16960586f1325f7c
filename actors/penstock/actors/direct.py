"""Run requests that come straight from a gateway: their callers wait, and nobody has stored them.

They are in the journal before anything follows from them, and it alone makes them durable. A
gateway that misses the answer stores the request in EXEC then, where it is met a second time; so
the owner must know, for certain and for as long as that takes, which of them it has dealt with.
Gateways number their messages to a partition without gaps, and a connection keeps them in order.
So per gateway there is one number up to which all are dealt with, the ranges below it that never
came, and the executions above it that are started already. All of that is in the journal.

What there is no room for is let go: its gateway will store it.
"""

import asyncio
from collections import deque
from collections.abc import Mapping

from penstock.actors.journal import Dealt
from penstock.actors.mailbox import Envelope, Input, Mailbox
from penstock.actors.quarantine import Quarantine
from penstock.subjects.bus import Message
from penstock.subjects.codec import Codec, CodecError
from penstock.subjects.dead_letters import UNREADABLE
from penstock.subjects.messages import DirectRuns, RunRequest

BACKLOG_BYTES_MAX = 16 * 1024 * 1024
MISSING_MAX = 64
"""Ranges that are remembered for each gateway. Of older ones callers are told that their answer
is lost; started twice they never are."""
FORGET_S = 2 * 3600.0
"""Silence after which a gateway counts as gone: longer than any caller waits."""

DIRECT_RUNS: Codec[DirectRuns] = Codec(DirectRuns)


class _Lane:
    """What came from one gateway."""

    __slots__ = ("dealt", "heard_s", "open", "received")

    def __init__(self, dealt: Dealt, heard_s: float) -> None:
        self.dealt = dealt
        self.received = dealt.up_to
        self.open: deque[Input] = deque()
        self.heard_s = heard_s


class DirectInbox:
    """See the module's text."""

    def __init__(self, mailbox: Mailbox, quarantine: Quarantine) -> None:
        self.dropped = 0
        self._mailbox = mailbox
        self._quarantine = quarantine
        self._arrived: list[Message] = []
        self._bytes_waiting = 0
        self._lanes: dict[str, _Lane] = {}
        self._taken_before: dict[str, tuple[str, int]] = {}
        self._moved: set[str] = set()
        self._now_s = asyncio.get_running_loop().time

    def begin(self, dealt: Mapping[str, Dealt], taken: Mapping[str, tuple[str, int]]) -> None:
        """Go on where the owner before stopped. `taken`: executions above its numbers that it
        had started or held, with gateway and number."""
        now_s = self._now_s()
        heard = {gateway: Dealt() for gateway, _ in taken.values()} | dict(dealt)
        self._lanes = {gateway: _Lane(each, now_s) for gateway, each in heard.items()}
        self._taken_before = dict(taken)

    def on_message(self, message: Message) -> None:
        """Take a message; it is decoded at the next wake-up."""
        if self._bytes_waiting > BACKLOG_BYTES_MAX:
            self.dropped += 1
            return
        self._arrived.append(message)
        self._bytes_waiting += len(message.payload)

    @property
    def has_arrived(self) -> bool:
        """Whether messages wait to be decoded."""
        return bool(self._arrived)

    @property
    def is_waiting(self) -> bool:
        """Whether something has come that is not dealt with."""
        self.advance()
        return bool(self._arrived) or any(lane.open for lane in self._lanes.values())

    def drain(self) -> None:
        """Decode what arrived and put it in the mailbox."""
        arrived, self._arrived = self._arrived, []
        for message in arrived:
            size = len(message.payload)
            try:
                runs = DIRECT_RUNS.decode(message.payload)
                _check(runs)
            except CodecError as error:
                self._bytes_waiting -= size
                self._quarantine.put(UNREADABLE, message, error.message, lambda: None)
                continue
            origin = self._origin_of(runs, size)
            if origin is None:
                self._bytes_waiting -= size
                continue
            for request in runs.requests:
                request.direct = runs.number
                self._mailbox.put(request.tenant, Envelope(request, origin))
        if not self._mailbox:
            self.advance()

    def advance(self) -> dict[str, Dealt]:
        """What is dealt with, of gateways with which that has changed since `stored`."""
        for gateway, lane in self._lanes.items():
            waiting = lane.open
            while waiting and not waiting[0].left:
                done = waiting.popleft()
                lane.dealt.up_to = done.sequence
                self._bytes_waiting -= done.bytes
                self._moved.add(gateway)
        return {gateway: self._lanes[gateway].dealt for gateway in self._moved}

    def stored(self) -> None:
        """What `advance` has told is in the journal."""
        self._moved.clear()

    def is_dealt_with(self, request: RunRequest) -> bool:
        """Whether a request that is met in EXEC has come straight before."""
        if request.execution in self._taken_before:
            return True
        lane = self._lanes.get(request.reply.gateway) if request.reply is not None else None
        if lane is None:
            return False
        number = request.direct
        if number <= lane.dealt.up_to:
            return not lane.dealt.lacks(number)
        return any(request.execution in origin.taken for origin in lane.open)

    def expire(self) -> None:
        """Forget gateways that are gone."""
        before_s = self._now_s() - FORGET_S
        gone = {g for g, lane in self._lanes.items() if lane.heard_s < before_s and not lane.open}
        for gateway in gone:
            del self._lanes[gateway]
            self._moved.discard(gateway)
        if gone:
            taken = self._taken_before.items()
            self._taken_before = {e: place for e, place in taken if place[0] not in gone}

    def dealt(self) -> dict[str, Dealt]:
        """What is dealt with, for a snapshot."""
        return {gateway: lane.dealt.copy() for gateway, lane in self._lanes.items()}

    def beyond(self) -> dict[str, tuple[str, int]]:
        """Executions above the numbers that are started or held, for a snapshot."""
        met = {
            execution: (gateway, origin.sequence)
            for gateway, lane in self._lanes.items()
            for origin in lane.open
            for execution in origin.taken
        }
        return self._taken_before | met

    def _origin_of(self, runs: DirectRuns, size: int) -> Input | None:
        """The message among those of its gateway; None when it came before."""
        lane = self._lanes.get(runs.gateway)
        if lane is None:
            lane = self._lanes[runs.gateway] = _Lane(Dealt(), 0.0)
        if runs.number <= lane.received:
            return None
        lane.heard_s = self._now_s()
        if runs.number > lane.received + 1:
            lane.dealt.missing.append((lane.received + 1, runs.number - 1))
            del lane.dealt.missing[:-MISSING_MAX]
        lane.received = runs.number
        origin = Input(runs.number, len(runs.requests), size, is_stored=False)
        lane.open.append(origin)
        return origin


def _check(runs: DirectRuns) -> None:
    for request in runs.requests:
        if request.reply is None or request.reply.gateway != runs.gateway:
            raise CodecError(f"{request.execution} has no caller that waits at {runs.gateway}")
