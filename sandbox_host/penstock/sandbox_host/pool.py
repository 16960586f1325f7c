"""The pool of workers: forked when one is wanted, reused while they are bound, all of them bounded.

A worker serves one tenant and one workflow version, then is thrown away. A step goes to a bound
worker of its version, to another one only when it would wait there for long, or to a blank one, or,
when there are as many workers as allowed, in the place of the one that was idle longest. Nothing
here blocks the event loop.

User code runs only behind the minimum: a process of its own, seccomp, and a file system closed off
by a namespace or by Landlock. Without it the pool refuses, unless it was told to be weak.
"""

import asyncio
import os
import sys
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from penstock.sandbox_host.cgroups import Groups
from penstock.sandbox_host.endings import ending, fail, refused
from penstock.sandbox_host.fork_server import ForkServer
from penstock.sandbox_host.isolation import Isolation, compile_filter, refusal
from penstock.sandbox_host.lane import ENDED, Job, Key, Lane, LaneOwner
from penstock.sandbox_host.settings import MIB, Limits, ZygoteSettings, worker_uid
from penstock.subjects.config import DEFAULT_TIMEZONE
from penstock.subjects.errors import PenstockError
from penstock.subjects.messages import Outcome, Step

_GROUP_EXTRA_BYTES = 128 * MIB
_SWEEP_S = 1.0
_WAIT_S = 0.005
"""A step rather waits behind others for less than this than to wake another worker."""
_SPARE_S = 1.0
_END_S = 2.0
_RESTART_S = 1.0
_SERVER_ENDED = "the fork server ended"


@dataclass(slots=True, frozen=True, kw_only=True)
class PoolSettings:
    """`per_version` bounds the workers of one workflow version, `depth` the jobs on one lane.

    `blank` workers are kept warm for versions to come: each takes some 30 MB to spare the first
    step of a version 5 ms.
    """

    workers_max: int = 16
    per_version: int = max(2, os.cpu_count() or 2)
    blank: int = 0
    depth: int = 64
    idle_s: float = 60.0
    timeout_ms: int = 60_000
    allow_weak: bool = False
    limits: Limits = field(default_factory=Limits)


class ProcessPool(LaneOwner):
    """See the module's text."""

    def __init__(self, settings: PoolSettings | None = None) -> None:
        self._settings = settings or PoolSettings()
        self._lanes: dict[int, Lane] = {}
        self._ending: dict[int, Lane] = {}
        self._bound: dict[Key, list[Lane]] = {}
        self._blank: deque[Lane] = deque()
        self._waiting: OrderedDict[Key, deque[Job]] = OrderedDict()
        self._next_slot = 0
        self._server: ForkServer | None = None
        self._groups: Groups | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._starting: asyncio.Task[None] | None = None
        self._failed = ""
        self.outage = ""  # why it has to wait here
        self.isolation = Isolation()
        self.has_tried = asyncio.Event()  # a worker came up, or cannot

    @property
    def problem(self) -> str:
        """Why user code is refused here; empty while it is not."""
        return self._failed

    async def start(self) -> None:
        """Start the zygote and, to see what isolation there is, a worker; `PenstockError` or
        `OSError` when it cannot be had."""
        if sys.platform != "linux":
            self._failed = f"user code needs Linux's isolation, which {sys.platform} does not have"
            self.isolation.missing["process"] = self._failed
            self.has_tried.set()
            return
        limits = self._settings.limits
        program, why = compile_filter()
        if why:
            self.isolation.missing["seccomp"] = why
        self._groups = Groups(
            memory_bytes=limits.data_bytes + _GROUP_EXTRA_BYTES,
            processes=limits.threads,
            cpus=1.0,
        )
        self.isolation.groups = self._groups.kind
        config = ZygoteSettings.of_this_machine(
            filter_program=program, uid=worker_uid(), limits=limits
        )
        server = ForkServer(
            on_spawned=self._spawned, on_exited=self._exited, on_lost=self._server_lost
        )
        up = await server.start(config)
        self._server = server
        self.isolation.set_zygote(up.layers, up.missing)
        self._sweeper = asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep)
        self._refill(1)

    async def close(self) -> None:
        """End every worker and the zygote. Jobs that still wait fail."""
        for timer in (self._sweeper, self._starting):
            if timer is not None:
                timer.cancel()
        server, self._server = self._server, None
        for lane in list(self._lanes.values()):
            lane.lose("the sandbox host stops")
        if server is not None:
            server.close()
        await self._until_ended()
        self._forget_ending()
        if self._groups is not None:
            self._groups.close()
        for job in self._take_waiting():
            fail(job, "the sandbox host stops")

    async def _until_ended(self) -> None:
        """Killed workers take a moment to end, and their groups can go only after them."""
        deadline = asyncio.get_running_loop().time() + _END_S
        while any(lane.is_alive for lane in self._ending.values()):
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(0.005)

    def _forget_ending(self) -> None:
        for lane in self._ending.values():
            if lane.blamed is not None:
                fail(lane.blamed, ENDED)
            lane.release()
        self._ending.clear()

    async def run(
        self, step: Step, document: bytes, *, timezone: str = DEFAULT_TIMEZONE
    ) -> Outcome:
        """`submit`, awaited."""
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def on_outcome(outcome: Outcome) -> None:
            if not done.done():  # whoever waits may be gone
                done.set_result(outcome)

        self.submit(step, document, on_outcome, timezone=timezone)
        return await done

    def submit(
        self,
        step: Step,
        document: bytes,
        on_outcome: Callable[[Outcome], None],
        *,
        timezone: str = DEFAULT_TIMEZONE,
    ) -> None:
        """Call back with the outcome of `step`, now or later. `document` is the workflow's JSON,
        `timezone` what holds where it names none; user code makes nothing be raised."""
        if self._failed:
            on_outcome(refused(self._failed))
            return
        if not step.timeout_ms:
            step.timeout_ms = self._settings.timeout_ms
        self._place(Job(step, document, on_outcome, timezone))

    # ---- placing

    def _place(self, job: Job) -> None:
        lane = self._lane_for(job.key)
        if lane is None:
            self._waiting.setdefault(job.key, deque()).append(job)
        else:
            self._hand(lane, job)
        if lane is None or len(lane.jobs) == 1:
            self._refill()

    def _hand(self, lane: Lane, job: Job) -> None:
        if lane.key is None:
            self._bound.setdefault(job.key, []).append(lane)
        lane.give(job)

    def _lane_for(self, key: Key) -> Lane | None:
        """The lane for one more job of a version: one where it need not wait for long, a blank
        one, or the one where it waits least."""
        bound = self._bound.get(key, ())
        # Full lanes rather than many: what travels together costs less, up to the owner's journal.
        for lane in bound:
            if lane.wait_s < _WAIT_S and len(lane.jobs) < self._settings.depth:
                return lane
        best = min(bound, key=lambda lane: lane.wait_s, default=None)
        may_widen = len(bound) < self._settings.per_version or (best is not None and best.is_slow)
        if may_widen and self._blank:
            return self._blank.popleft()
        if may_widen:
            self._refill(1)
        if best is not None and len(best.jobs) < self._settings.depth:
            return best
        return None

    def _take_waiting(self) -> list[Job]:
        waiting, self._waiting = self._waiting, OrderedDict()
        return [job for jobs in waiting.values() for job in jobs]

    def _refill(self, least: int = 0) -> None:
        """See to it that there are blank workers, ready or on their way: as many as are kept, as
        versions wait, and `least`. Make room by ending the one that was idle longest."""
        if self._server is None:
            return
        starting = sum(1 for lane in self._lanes.values() if lane.key is None)
        waiting = min(len(self._waiting), self._settings.workers_max)
        wanted = max(self._settings.blank, waiting, least)
        while starting < wanted:
            if len(self._lanes) >= self._settings.workers_max and not self._evict():
                return
            try:
                self._spawn()
            except OSError:
                return  # short of descriptors or memory, which may pass: the sweep tries again
            starting += 1

    def _evict(self) -> bool:
        idle = [lane for lane in self._lanes.values() if lane.key and not lane.jobs]
        if not idle or not self._waiting:
            return False
        min(idle, key=lambda lane: lane.idle_since_s).lose("made room")
        return True

    def _spawn(self) -> None:
        assert self._server is not None
        self._next_slot += 1
        lane = Lane(self._next_slot, self._server.spawn(self._next_slot), self)
        self._lanes[lane.slot] = lane
        lane.open()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweeper = loop.call_later(_SWEEP_S, self._sweep)
        limit = loop.time() - self._settings.idle_s
        for lane in list(self._lanes.values()):
            if lane.key and not lane.jobs and lane.idle_since_s < limit:
                lane.lose("idle")
        spare = len(self._blank) > self._settings.blank and self._blank[0]
        if spare and spare.idle_since_s < loop.time() - _SPARE_S:
            spare.lose("spare")
        self._refill()

    # ---- what lanes and the zygote tell

    def _spawned(self, slot: int, pidfd: int) -> None:
        lane = self._lanes.get(slot) or self._ending.get(slot)
        if lane is None:
            os.close(pidfd)
            return
        lane.pidfd = pidfd
        if lane.reason:
            lane.kill()
            return
        self._attach(lane)
        self._offer(lane)

    def _attach(self, lane: Lane) -> None:
        lane.group = self._groups.create() if self._groups else None
        try:
            pid = lane.pid
            if lane.group is not None and pid > 0:
                lane.group.attach(pid)
        except OSError as error:
            lane.lose(f"cgroup: {error}")

    def lane_is_ready(self, lane: Lane) -> None:
        self._offer(lane)

    def _offer(self, lane: Lane) -> None:
        """A worker becomes available once it is ready and, before that, in its cgroup."""
        if not lane.is_ready or lane.reason:
            return
        assert lane.layers is not None
        self.isolation.set_worker(lane.layers)
        is_first = not self.has_tried.is_set()
        self.has_tried.set()
        why = refusal(self.isolation, allow_weak=self._settings.allow_weak)
        if why:
            self._refuse_all(why)
            return
        if is_first and not self._waiting and not self._settings.blank:
            lane.lose("has shown what isolation there is")
            return
        lane.idle_since_s = asyncio.get_running_loop().time()
        self._blank.append(lane)
        self._drain()
        self._refill()

    def _refuse_all(self, why: str) -> None:
        self._failed = why
        for lane in list(self._lanes.values()):
            lane.lose("refused")
        for job in self._take_waiting():
            job.on_outcome(refused(why))

    def lane_is_free(self, lane: Lane) -> None:
        if not self._waiting:
            return
        assert lane.key is not None
        self._feed(lane, lane.key)
        if not lane.jobs:
            self._refill()  # it may have to make room for another version

    def _feed(self, lane: Lane, key: Key) -> None:
        """Give a lane what waits for its version, as much as it takes."""
        jobs = self._waiting.get(key)
        while jobs and len(lane.jobs) < self._settings.depth:
            self._hand(lane, jobs.popleft())
        if jobs is not None and not jobs:
            del self._waiting[key]

    def _drain(self) -> None:
        """Bind blank lanes to the versions that wait, those that came first before the others."""
        if self._server is None:
            return
        for key in list(self._waiting):
            if not self._blank:
                return
            self._feed(self._blank.popleft(), key)

    def lane_is_lost(self, lane: Lane) -> None:
        self._lanes.pop(lane.slot, None)
        self._ending[lane.slot] = lane
        if lane in self._blank:
            self._blank.remove(lane)
        if lane.key is not None:
            self._bound[lane.key].remove(lane)
            if not self._bound[lane.key]:
                del self._bound[lane.key]
        self._settle(lane)
        self._drain()
        self._refill()

    def _settle(self, lane: Lane) -> None:
        """The head of a lost lane bears the blame; the others never ran."""
        jobs = lane.jobs
        is_blamed = lane.reason != _SERVER_ENDED
        head = jobs.popleft() if jobs and is_blamed else None
        if jobs:
            self._waiting.setdefault(jobs[0].key, deque()).extendleft(reversed(jobs))
        jobs.clear()
        if head is None:
            return
        if lane.reason == ENDED:
            lane.blamed = head  # how it ended is told by the zygote, soon
        else:
            fail(head, lane.reason)

    def _exited(self, slot: int, status: int) -> None:
        lane = self._lanes.get(slot)
        if lane is not None:
            lane.lose(ending(status))
        ended = self._ending.pop(slot, None)
        if ended is not None:
            if ended.blamed is not None:
                fail(ended.blamed, ending(status))
            ended.release()

    def _server_lost(self) -> None:
        """The zygote died: its workers died with it. Start another."""
        self._server = None
        for lane in list(self._lanes.values()):
            lane.lose(_SERVER_ENDED)
        self._forget_ending()
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._starting = asyncio.ensure_future(self._restart())

    async def _restart(self) -> None:
        """Until it succeeds: what took the fork server away may be passing, jobs wait for it."""
        while True:
            try:
                await self.start()
                break
            except (PenstockError, OSError) as error:
                self.outage = f"the fork server cannot be started: {error}"
                await asyncio.sleep(_RESTART_S)
        self.outage = ""
        self._refill()
