"""The host's end of one worker: a lane on which steps of one workflow version go one by one.

A result belongs to the step at the head of the lane: what a worker says about itself is never
believed. Anything unexpected (a frame too long, a wrong ticket, an answer nobody asked for, an end,
a time-out) loses the worker: the head fails with the reason, those behind it go elsewhere.
"""

import asyncio
import contextlib
import os
import select
import signal
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from penstock.sandbox_host.cgroups import Group
from penstock.sandbox_host.frames import (
    RESULT_BYTES_MAX,
    Done,
    FrameBuffer,
    FrameError,
    FromWorker,
    Lost,
    Ready,
    Setup,
    Work,
    pack,
)
from penstock.subjects.messages import Outcome, Step

ENDED = "its process ended"
_READY_TIMEOUT_S = 10.0
_SLOW_S = 0.1
_PACE_S = 0.005
_PACE_WEIGHT = 1 / 16
_OVERHEAD_BYTES = 1 << 16
_RECEIVE_BYTES = 1 << 18
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(FromWorker).decode

Key = tuple[str, str]
"""Tenant and content hash of the workflow version: what may share a worker."""


@dataclass(slots=True, eq=False)
class Job:
    """A step that waits for its outcome, of which `on_outcome` is told once."""

    step: Step
    document: bytes
    on_outcome: Callable[[Outcome], None]
    timezone: str

    @property
    def key(self) -> Key:
        return self.step.tenant, self.step.plan


@dataclass(slots=True, eq=False)
class Lane:
    """See the module's text. `owner` is told of changes; `key` is set with the first job."""

    slot: int
    channel: socket.socket
    owner: "LaneOwner"
    layers: list[str] | None = None
    key: Key | None = None
    pidfd: int = -1
    group: Group | None = None
    jobs: deque[Job] = field(default_factory=deque)
    idle_since_s: float = 0.0
    reason: str = ""
    """Why the worker was lost; empty while it is well."""
    blamed: Job | None = None
    """The job that waits to hear how the worker ended."""
    _incoming: FrameBuffer = field(
        default_factory=lambda: FrameBuffer(RESULT_BYTES_MAX + _OVERHEAD_BYTES)
    )
    _outgoing: bytearray = field(default_factory=bytearray)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _is_sending: bool = False
    """A piece of `_outgoing` is about to leave, at the end of this turn or when there is room."""
    _timer: asyncio.TimerHandle | None = None
    _fires_at_s: float = 0.0
    _head_since_s: float = 0.0
    _pace_s: float = _PACE_S
    """What a job takes, of late; of a worker that has done none yet nothing good is assumed."""
    _ticket: int = 0
    """Of the head; each further job has the next number."""

    def open(self) -> None:
        """Begin to listen; the worker must be ready within a set time."""
        self._loop.add_reader(self.channel, self._readable)
        self._timer = self._loop.call_later(_READY_TIMEOUT_S, self.lose, "not ready in time")

    @property
    def is_ready(self) -> bool:
        return self.layers is not None and self.pidfd >= 0

    @property
    def is_slow(self) -> bool:
        """Whether the head has been running for long: what comes now should not wait for it."""
        return bool(self.jobs) and self._loop.time() - self._head_since_s > _SLOW_S

    @property
    def wait_s(self) -> float:
        """How long a job given now would wait, going by those before it."""
        if not self.jobs:
            return 0.0
        return max(len(self.jobs) * self._pace_s, self._loop.time() - self._head_since_s)

    def give(self, job: Job) -> None:
        """Send a job; the first one binds the lane to its tenant and workflow version."""
        step = job.step
        if self.key is None:
            self.key = job.key
            self._send(_encode(Setup(step.plan, job.document, job.timezone)))
        assert self.key == job.key
        body = _encode(Work(self._ticket + len(self.jobs) + 1, step))
        self.jobs.append(job)
        self._send(body)
        if len(self.jobs) == 1:
            self._watch_head()

    def _watch_head(self) -> None:
        """Begin the time of the head. The timer is left where it is and moved when it fires: most
        steps end long before, and to set it anew for each would cost more than they do."""
        self._head_since_s = self._loop.time()
        if self.jobs and (self._timer is None or self._head_ends_at_s < self._fires_at_s):
            self._stop_timer()
            self._fires_at_s = self._head_ends_at_s
            self._timer = self._loop.call_at(self._fires_at_s, self._timer_fired)

    @property
    def _head_ends_at_s(self) -> float:
        return self._head_since_s + self.jobs[0].step.timeout_ms / 1000

    def _timer_fired(self) -> None:
        self._timer = None
        if not self.jobs:
            return
        if self._loop.time() >= self._head_ends_at_s:
            self.lose("timeout")
        else:
            self._fires_at_s = self._head_ends_at_s
            self._timer = self._loop.call_at(self._fires_at_s, self._timer_fired)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send(self, body: bytes) -> None:
        """With the end of this turn of the loop: what is given in one turn leaves together."""
        self._outgoing += pack(body)
        if not self._is_sending:
            self._is_sending = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        if self.reason:
            return
        try:
            sent = self.channel.send(self._outgoing)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.lose(f"channel: {error}")
            return
        del self._outgoing[:sent]
        if self._outgoing:
            self._loop.add_writer(self.channel, self._writable)
        else:
            self._is_sending = False

    def _writable(self) -> None:
        self._loop.remove_writer(self.channel)
        self._flush()

    def _readable(self) -> None:
        try:
            piece = self.channel.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self.lose(ENDED)
            return
        try:
            for body in self._incoming.feed(piece):
                self._handle(_decode(body))
        except FrameError as error:
            self.lose(f"output: {error}")
        except (msgspec.MsgspecError, RecursionError) as error:
            self.lose(f"protocol: {error}")

    def _handle(self, message: FromWorker) -> None:
        if self.reason:
            return
        if isinstance(message, Done):
            self._finish(message)
        elif isinstance(message, Ready) and self.layers is None:
            self.layers = message.layers
            self._stop_timer()
            self.owner.lane_is_ready(self)
        else:
            self.lose(message.reason if isinstance(message, Lost) else "protocol: unexpected frame")

    def _finish(self, message: Done) -> None:
        if not self.jobs or message.ticket != self._ticket + 1:
            self.lose("protocol: a result nobody asked for")
            return
        self._ticket += 1
        job = self.jobs.popleft()
        took_s = self._loop.time() - self._head_since_s
        self._pace_s += (took_s - self._pace_s) * _PACE_WEIGHT
        self._watch_head()
        self.idle_since_s = self._head_since_s
        job.on_outcome(message.outcome)
        self.owner.lane_is_free(self)

    def lose(self, reason: str) -> None:
        """Kill the worker and stop listening; the owner deals with its jobs."""
        if self.reason:
            return
        self.reason = reason
        self._stop_timer()
        self._loop.remove_reader(self.channel)
        self._loop.remove_writer(self.channel)
        self.channel.close()
        self.kill()
        self.owner.lane_is_lost(self)

    def kill(self) -> None:
        """End the worker's process and everything in its namespace."""
        if self.pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    @property
    def is_alive(self) -> bool:
        """Whether its process has not ended: a pidfd is readable once it has."""
        if self.pidfd < 0:
            return False
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return not poll.poll(0)

    @property
    def pid(self) -> int:
        """The process as this namespace numbers it; -1 when it is gone already."""
        with open(f"/proc/self/fdinfo/{self.pidfd}") as lines:  # noqa: PTH123
            for line in lines:
                if line.startswith("Pid:"):
                    return int(line.split()[1])
        return -1

    def release(self) -> None:
        """Give back what the kernel holds for the worker, after its process ended."""
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1
        if self.group is not None:
            self.group.close()
            self.group = None


class LaneOwner:
    """Who is told of a lane's changes."""

    def lane_is_ready(self, lane: Lane) -> None:
        """Every layer is in place: the lane takes jobs."""

    def lane_is_free(self, lane: Lane) -> None:
        """A job ended well."""

    def lane_is_lost(self, lane: Lane) -> None:
        """The worker is lost; `lane.reason` says why, `lane.jobs` what it leaves."""
