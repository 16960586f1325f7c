"""An actor host: owns its share of the partitions, takes over what dead hosts leave, hands over.

A partition that nobody else claims is taken at once. One that should be another's is released
(append finished, snapshot written) and then no longer claimed, which is the sign for the other to
take it. Outages of the broker are waited out: nothing here ends because of one. A partition that
crashes is taken over anew; when that happens too often the host gives up, as supervisors do.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine

from penstock.actors.canary import Canary
from penstock.actors.partition import Partition
from penstock.actors.placement import BEAT_S, Membership
from penstock.actors.room import Room
from penstock.actors.shared import Shared
from penstock.subjects.errors import BusError
from penstock.subjects.messages import Heartbeat
from penstock.supervisor.budget import RestartBudget
from penstock.supervisor.spec import RestartIntensity

HELLO_S = 0.15
RETRY_S = 0.2
TAKEOVERS_MAX = 8
FAILED_RETRY_S = 2.0
CONFIRM_S = 5.0
"""After so long without an append an owner looks whether it still is one."""
CRASHES = RestartIntensity(restarts=10, window_s=10.0)
"""Of partitions, before the process gives up and its supervisor decides."""

log = logging.getLogger("penstock.actors")


class Host:
    """See the module's text. `ready` is set when the host first owns all that it should."""

    def __init__(self, shared: Shared, *, pid: int = 0) -> None:
        self.shared = shared
        self.ready = asyncio.Event()
        self.partitions: dict[int, Partition] = {}
        own = Heartbeat("actors", shared.owner, pid, shared.clock.now_ms())
        self.membership = Membership(shared.bus, shared.clock, own)
        self.membership.on_change(self._look_again)
        self.canary = Canary(shared.bus, shared.region, shared.owner)
        self.room = Room(shared.bus, self.partitions.values)
        self._changed = asyncio.Event()
        self._busy: dict[int, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(TAKEOVERS_MAX)
        self._failed: dict[int, str] = {}
        self._crashes = RestartBudget(CRASHES)
        self._has_given_up = False

    async def beat(self) -> None:
        """Run for ever: tell that this host lives."""
        own = self.membership.own
        while True:
            own.problems = self._problems()
            own.wedged = self.canary.wedged
            self.membership.beat()
            await asyncio.sleep(BEAT_S)

    async def place(self) -> None:
        """Run for ever: own what this host should own."""
        self.membership.beat()
        await asyncio.sleep(HELLO_S)
        while True:
            self._changed.clear()
            if self._has_given_up:
                raise RuntimeError("partitions keep crashing")
            self._place()
            await self._confirm()
            try:
                async with asyncio.timeout(BEAT_S):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def drain(self) -> None:
        """Release everything, and say so."""
        self.membership.own.draining = True
        self.membership.beat()
        for task in self._busy.values():
            task.cancel()
        await asyncio.gather(*(self._release(number) for number in list(self.partitions)))

    def close(self) -> None:
        """Stop at once."""
        for task in self._busy.values():
            task.cancel()
        for partition in list(self.partitions.values()):
            partition.close()
        self.partitions.clear()
        self.membership.close()

    def _problems(self) -> list[str]:
        stuck = [
            f"partition {number}: {partition.committer.waiting_reason}"
            for number, partition in self.partitions.items()
            if partition.committer.waiting_reason
        ]
        failed = [f"partition {number}: {why}" for number, why in self._failed.items()]
        return self.canary.problems + stuck + failed

    def _look_again(self) -> None:
        self._changed.set()

    def _place(self) -> None:
        if self.membership.is_deaf:
            return  # others may own what seems to be nobody's
        wanted = self.membership.wanted(self.shared.partitions)
        claimed = self.membership.claimed()
        for number in wanted - self.partitions.keys() - claimed:
            self._begin(number, self._take)
        for number in self.partitions.keys() - wanted:
            self._begin(number, self._release)
        # Of a partition that another has by now, or should have, nothing is wrong here any more.
        self._failed = {n: why for n, why in self._failed.items() if n in wanted - claimed}
        # One whose journal is refused must not keep the others from being served; status tells it.
        if wanted <= self.partitions.keys() | self._failed.keys():
            self.ready.set()

    def _begin(self, number: int, work: Callable[[int], Coroutine[None, None, None]]) -> None:
        if number in self._busy:
            return
        task = asyncio.create_task(work(number))
        self._busy[number] = task

        def ended(_: object) -> None:
            self._busy.pop(number, None)
            if not task.cancelled() and task.exception() is not None:
                log.error("partition %d: %r", number, task.exception(), exc_info=task.exception())
            self._changed.set()

        task.add_done_callback(ended)

    async def _take(self, number: int) -> None:
        async with self._slots:
            pause_s = await self._try_to_take(number)
        # Not in a slot: one that is refused must not delay those that are not.
        await asyncio.sleep(pause_s)

    async def _try_to_take(self, number: int) -> float:
        """Take a partition; how long to wait until the next try, if it was refused."""
        partition = Partition(self.shared, number, self._on_lost)
        try:
            await partition.own()
        except BusError as error:
            partition.close()
            log.info("partition %d: not taken now: %s", number, error)
            return RETRY_S
        except Exception as error:
            # A journal that cannot be read, most likely: others would fail at it as well.
            partition.close()
            log.exception("partition %d: cannot be taken over", number)
            self._failed[number] = repr(error)
            return FAILED_RETRY_S
        except BaseException:
            partition.close()
            raise
        self._failed.pop(number, None)
        self.partitions[number] = partition
        self._claim()
        return 0.0

    async def _release(self, number: int) -> None:
        partition = self.partitions.get(number)
        if partition is not None:
            await partition.release()
            self.partitions.pop(number, None)
            self._claim()

    def _claim(self) -> None:
        self.membership.own.owns = sorted(self.partitions)
        self.membership.beat()

    def _on_lost(self, partition: Partition) -> None:
        now_s = self.shared.clock.monotonic_s()
        if partition.crash is not None and not self._crashes.spend(now_s):
            self._has_given_up = True
        if self.partitions.get(partition.number) is partition:
            del self.partitions[partition.number]
            self._claim()
            self._changed.set()

    async def _confirm(self) -> None:
        """Of two hosts that claim a partition one was frozen or cut off, and the journal says
        which. So it may be with one that nobody else claims: whoever took it may be gone again,
        and what it has begun (a step whose result comes here) means nothing to us."""
        claimed = self.membership.claimed()
        before_s = asyncio.get_running_loop().time() - CONFIRM_S
        unsure = [
            partition.committer.confirm()
            for number, partition in self.partitions.items()
            if number in claimed or partition.committer.confirmed_s < before_s
        ]
        # Together: a broker that does not answer must not hold up placement once for each.
        await asyncio.gather(*unsure)
