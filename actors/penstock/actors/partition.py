"""The owner of one partition: takes what waits, lets the actors decide, writes one record, and
only then acts.

    everything waiting -> actors -> entries -> ONE append, one in flight -> acknowledged -> effects

Messages are handled only while no append is in flight. So batches form by themselves ("what came
while the last write was under way"), and at each acknowledgement memory equals the journal, which
is when a snapshot may begin. An outage is waited out inside of the append; nothing is lost by
waiting since nothing has happened yet.

No task and no queue per actor; one callback per read of the connection. See `takeover` for how it
begins and `commit` for how it is fenced.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping

from penstock.actors.execution.effects import Dispatch, SetTimer
from penstock.actors.execution.state import State
from penstock.actors.journal import RECORDS, Dealt, Entry, Record
from penstock.actors.mailbox import Envelope
from penstock.actors.parts import Parts
from penstock.actors.shared import Shared
from penstock.actors.snapshotting import Position
from penstock.actors.splitting import TooLargeError, parted
from penstock.actors.takeover import rebuild
from penstock.subjects import names
from penstock.subjects.bus import Subscription
from penstock.subjects.codec import CodecError
from penstock.subjects.errors import StreamFullError

TRANSITIONS_MAX = 1_000
TICK_S = 1.0
REPLY_AGAIN_MS = 10_000
RELEASE_S = 1.5
FINISH_PAUSE_S = 0.001
TOO_LARGE = "The data of one step is too large to be stored"

log = logging.getLogger("penstock.actors")


class Partition(Parts):
    """One partition on this host. `own`, then it works until `release` or until it is fenced;
    `on_lost` is called when somebody else owns it, or when it crashed (`crash` says why)."""

    def __init__(self, shared: Shared, number: int, on_lost: Callable[["Partition"], None]) -> None:
        super().__init__(shared, number, self.want_wake)
        self.epoch = 0
        self.is_live = False
        self.crash: Exception | None = None
        self.transitions = 0
        self.finished = 0
        self._on_lost = on_lost
        self.committer.on_fenced = self._fenced
        self.repairs.rebuild = self._rebuild
        self.asking.figures = self.figures
        self._subscriptions: list[Subscription] = []
        self._following: Subscription | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._is_wanted = False
        self._is_draining = False
        self._done_seq = 0
        self._inlets = (self.inbox, self.direct, self.results)

    # -- ownership ----------------------------------------------------------------------------

    async def own(self) -> None:
        """Take the partition over and go live. `WrongLastSequenceError`: somebody else was
        faster; another `BusError`: try again with a new Partition."""
        shared = self.shared
        try:
            opened = await self.takeover.open_epoch(shared.owner, shared.clock.now_ms())
        except StreamFullError:
            await self.snapshotting.trim_again()  # without an owner nobody else would
            raise
        self.epoch = opened.record.epoch
        self.committer.begin(opened.sequence)
        self.dispatcher.begin(f"{self.number}-{shared.owner}-{self.epoch}")
        await self.snapshotting.store.fence(self.epoch)
        replayed = await self.takeover.replay_opened(self.snapshotting.store, opened)
        states, lost = await rebuild(replayed, shared.plans, shared.resume_url)
        self.restore(replayed)
        self._done_seq = replayed.done_seq
        now_ms = shared.clock.now_ms()
        for state in states:
            self.restore_execution(state, now_ms)
        for execution, problem in lost:
            self.abandon(execution, problem)
        self.cancel_orphans()
        await self._go_live(now_ms)
        self.wait_again()
        shared.directory.on_change(self.schedules.on_directory)
        what = (self.number, self.epoch, len(self.table), replayed.count)
        log.info("partition %d is live: epoch %d, %d open, %d entries replayed", *what)

    async def _go_live(self, now_ms: int) -> None:
        bus, region, number = self.shared.bus, self.shared.region, self.number
        steps, results = await asyncio.gather(bus.info("STEPS"), bus.info("DONE"))
        self.dispatcher.was_lost(steps)
        if self.results.restarted(results):
            self._done_seq = 0
        done = names.done(region, number)
        self._subscriptions = [
            bus.follow("DONE", done, self._done_seq + 1, self.results.on_message),
            bus.subscribe(names.direct_runs(region, number), self.direct.on_message),
            bus.subscribe(f"ask.{region}.{number}.*", self.asking.on_ask),
        ]
        self.is_live = True
        self.shared.live.append(self)
        self._regulate()
        self.dispatcher.flush()
        self.replies.send_again(now_ms - REPLY_AGAIN_MS)
        self._tick()

    async def release(self) -> None:
        """Finish the append in flight, write a snapshot, and stop owning."""
        self._stop_listening()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RELEASE_S):
                await self._finish_up()
        self._is_draining = True
        if self.is_live and not self.committer.is_busy:
            self.is_live = False
            if not self.repairs.is_busy and self.shared.bus.is_connected:
                await self.snapshotting.save_now(self._position())
        self.close()

    async def _finish_up(self) -> None:
        """Deal with what came straight from gateways: nobody else has it."""
        while self.direct.is_waiting:
            self.wake()
            await self.committer.idle()
            await asyncio.sleep(FINISH_PAUSE_S)
        self._is_draining = True
        await self.committer.idle()

    def close(self) -> None:
        """Stop at once, without a word to anybody."""
        self.is_live = False
        if self in self.shared.live:
            self.shared.live.remove(self)
        self._stop_listening()
        self.close_all()
        for handle in (self._alarm, self._ticking):
            if handle is not None:
                handle.cancel()

    def _stop_listening(self) -> None:
        for subscription in self._subscriptions:
            subscription.close()
        self._subscriptions = []
        if self._following is not None:
            self._following.close()
            self._following = None
        self.shared.directory.remove_hook(self.schedules.on_directory)

    def _fenced(self) -> None:
        log.warning("partition %d: another owner took over", self.number)
        self.close()
        self._on_lost(self)

    def _regulate(self) -> None:
        """Follow the inputs, but not while too much of them waits in memory: the stream keeps it,
        and when that is full the gateways refuse."""
        if self._following is None:
            if not self.inbox.is_full and self._subscriptions:
                inputs = names.inputs(self.shared.region, self.number)
                start = self.inbox.received + 1
                bus = self.shared.bus
                self._following = bus.follow("EXEC", inputs, start, self.inbox.on_message)
        elif self.inbox.is_full:
            self._following.close()
            self._following = None

    def on_reconnect(self, steps: Mapping[str, int], done: Mapping[str, int]) -> None:
        """After an outage: what STEPS and DONE are now. They are in memory only, and may have
        begun anew."""
        are_results_lost = self.results.restarted(done)
        if are_results_lost:
            self._done_seq = 0
        if self.dispatcher.was_lost(steps) or are_results_lost:
            self.dispatcher.send_again()
        self.want_wake()

    # -- the loop -----------------------------------------------------------------------------

    def want_wake(self) -> None:
        """Wake up soon, from outside of a batch of the connection."""
        if not self._is_wanted and self.is_live:
            self._is_wanted = True
            asyncio.get_running_loop().call_soon(self._wanted)

    def _wanted(self) -> None:
        self._is_wanted = False
        self.wake()

    def wake(self) -> None:
        """Handle everything that waits, unless an append is in flight."""
        try:
            self._wake_up()
        except Exception as error:
            self._crash(error)

    def _crash(self, error: Exception) -> None:
        """Memory may differ from the journal, so it must go: whoever owns the partition next
        begins with what is stored. Either it is a bug of the loop itself, or something happened
        in memory that no record can carry, and then its execution will fail instead."""
        if isinstance(error, TooLargeError):
            log.warning("partition %d begins anew: %s", self.number, error)
            self.shared.doom(error.execution, TOO_LARGE)
        else:
            log.error("partition %d crashed", self.number, exc_info=error)
            self.crash = error
        self.close()
        self._on_lost(self)

    def _wake_up(self) -> None:
        if not self.is_live or self.committer.is_busy or self._is_draining:
            return
        for inlet in self._inlets:
            if inlet.has_arrived:
                inlet.drain()
        has_timers = self._next_ms() is not None
        if not (has_timers or self.mailbox or self.wakeup.within):
            return
        now_ms = self.shared.clock.now_ms()
        if has_timers:
            for due in self.timers.due(now_ms):
                self.mailbox.put_under_way("", Envelope(due))
            self.schedules.put_due(now_ms)
        if self.mailbox or self.wakeup.within:
            self._handle(now_ms)
        if has_timers and not self.committer.is_busy:
            self._set_alarm(now_ms)

    def _handle(self, now_ms: int) -> None:
        wakeup, turns = self.wakeup, self.turns
        before = self.inbox.watermark, self._done_seq
        wakeup.begin(now_ms)
        turns.do_within()
        for envelope in self.mailbox.take():
            turns.handle(envelope)
            if wakeup.transitions >= TRANSITIONS_MAX:
                break
        turns.put_back_deferred()
        if not self.mailbox:
            self._done_seq = self.results.received
        if wakeup.entries:
            self._append(wakeup.entries, [], before)
        else:
            self._act()

    def _append(self, entries: list[Entry], rest: list[Entry], before: tuple[int, int]) -> None:
        """Append `entries`, then `rest`: they are one record unless that would be too large. Parts
        before the last keep the positions `before`, so that what is in the others is not passed."""
        position = before if rest else (self.inbox.advance(), self._done_seq)
        direct = {} if rest else self.direct.advance()
        frame = self._frame(entries, position, direct)
        if frame is None:
            first, second = parted(entries)
            self._append(first, second + rest, before)
        elif rest:
            self.committer.append(frame, lambda: self._append_rest(rest, before))
        else:
            self.committer.append(frame, self._stored)

    def _append_rest(self, rest: list[Entry], before: tuple[int, int]) -> None:
        try:
            self._append(rest, [], before)
        except Exception as error:
            self._crash(error)

    def _frame(
        self, entries: list[Entry], position: tuple[int, int], direct: dict[str, Dealt]
    ) -> bytes | None:
        owner, epoch, index = self.shared.owner, self.epoch, self.committer.index + 1
        place = (position[0], entries, position[1], direct)
        try:
            return RECORDS.encode(Record(owner, epoch, index, self.wakeup.now_ms, *place))
        except CodecError:
            return None

    def _stored(self) -> None:
        """The record is durable and memory equals the journal: act, then go on."""
        try:
            self._go_on()
        except Exception as error:
            self._crash(error)

    def _go_on(self) -> None:
        self.transitions += self.wakeup.transitions
        self.finished += len(self.wakeup.ended)
        self._regulate()
        self.direct.stored()
        self.snapshotting.count(self.wakeup.transitions)
        self._act()
        # Not before: it holds answers that may not have arrived, and what is still to be saved.
        now_s = asyncio.get_running_loop().time()
        if self.snapshotting.is_due(now_s) and not self.repairs.is_busy:
            self.snapshotting.begin(self._position())
        self.want_wake()  # in case this is not within a batch of the connection

    async def make_room(self) -> None:
        """The stream fills: write a snapshot early, or trim by the one that there is."""
        is_early = self.snapshotting.is_early_due(asyncio.get_running_loop().time())
        if self.is_live and is_early and not self.committer.is_busy and not self.repairs.is_busy:
            self.snapshotting.begin(self._position())
        else:
            await self.snapshotting.trim_again()

    def _position(self) -> Position:
        return Position(self.epoch, self.committer.sequence, self.inbox.watermark, self._done_seq)

    def _act(self) -> None:
        """Do what follows from a wake-up, now that it is in the journal."""
        wakeup = self.wakeup
        self._settle()
        for state, effect in wakeup.effects:
            if state.is_finished:
                continue  # it went on within the same wake-up
            if type(effect) is Dispatch:
                if self.quotas.may_send(effect):
                    self.dispatcher.add(effect)
            elif type(effect) is SetTimer:
                execution = state.request.execution
                self.timers.set(execution, effect.at_ms, effect.kind, effect.token)
        self.act_on(wakeup.entries, wakeup.now_ms)
        self.dispatcher.flush()
        self.replies.flush()
        for subject, payload in wakeup.outgoing:
            self.shared.bus.publish(subject, payload)
        taps = self.shared.taps
        taps.refill(wakeup.now_ms)
        for told in wakeup.told:
            taps.feed(told.request, told.plan, told.events)
        wakeup.begin(wakeup.now_ms)

    def _settle(self) -> None:
        """Forget what the executions of this wake-up no longer wait for."""
        wakeup = self.wakeup
        if len(self.dispatcher):
            for told in wakeup.told:
                self.dispatcher.forget(told.request.execution)
        if len(self.timers):
            for execution in wakeup.ended:
                self.timers.cancel(execution)
        for execution in wakeup.ended:
            self.repairs.forget(execution)
        if wakeup.slept:
            self.sleepers.fell_asleep(wakeup.slept, wakeup.now_ms)

    # -- time ---------------------------------------------------------------------------------

    def _next_ms(self) -> int | None:
        """When a timer is due next."""
        one, other = self.timers.next_ms, self.schedules.timers.next_ms
        return other if one is None else one if other is None else min(one, other)

    def _set_alarm(self, now_ms: int) -> None:
        """Wake up when the next timer is due; the tick notices a clock that jumps."""
        next_ms = self._next_ms()
        if next_ms is None or next_ms - now_ms > TICK_S * 1000:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        delay_s = max(0.0, (next_ms - now_ms) / 1000)
        self._alarm = asyncio.get_running_loop().call_later(delay_s, self.wake)

    def _tick(self) -> None:
        if not self.is_live:
            return
        loop = asyncio.get_running_loop()
        self._ticking = loop.call_later(TICK_S, self._tick)
        self._regulate()
        self.dispatcher.send_overdue()
        self.quotas.tick()
        self.direct.expire()
        self.replies.expire(self.shared.clock.now_ms())
        if not self.committer.is_busy:
            self.sleepers.tick(loop.time())
        self.wake()

    async def _rebuild(self, execution: str) -> State | None:
        """The execution as the journal has it, once what it did is in there."""
        # A snapshot would trim what is about to be read; during a repair none begins.
        await self.snapshotting.idle()
        await self.committer.idle()
        return await self.rebuild(execution)

    def figures(self) -> dict[str, object]:
        """For `stats`."""
        return {
            **super().figures(),
            "epoch": self.epoch,
            "transitions": self.transitions,
            "finished": self.finished,
        }
