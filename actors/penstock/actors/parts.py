"""The parts of an owned partition, made and joined; and their state after a takeover."""

from collections.abc import Callable, Collection

from penstock.actors.asking import Asking
from penstock.actors.commit import Committer
from penstock.actors.direct import DirectInbox
from penstock.actors.dispatch import Dispatcher
from penstock.actors.execution import core, steps
from penstock.actors.execution.effects import CoreEffect, Dispatch, SetTimer
from penstock.actors.execution.state import State
from penstock.actors.inbox import Inbox
from penstock.actors.journal import Answered, Armed, Disarmed, Entry, Fired, Saved
from penstock.actors.mailbox import Envelope, Mailbox
from penstock.actors.quotas import Quotas
from penstock.actors.repair import Repairs
from penstock.actors.replies import Replies
from penstock.actors.results import Results
from penstock.actors.schedules import Due, Schedules, WorkflowChanged
from penstock.actors.shared import Shared
from penstock.actors.sleepers import Sleepers
from penstock.actors.snapshot import Rest
from penstock.actors.snapshotting import Snapshotting
from penstock.actors.starts import TOO_MANY, Around, Release
from penstock.actors.static_data import StaticDataStore
from penstock.actors.table import Kept, Table
from penstock.actors.takeover import Grown, Replayed, Takeover, build
from penstock.actors.tenancy import Asked, Tenancy
from penstock.actors.timers import Timers
from penstock.actors.turns import CALLER_ENDED, Abandon, Fail, Turns
from penstock.actors.wakeup import Continue, Wakeup
from penstock.subjects import names
from penstock.subjects.errors import ErrorInfo, PenstockError
from penstock.subjects.messages import Cancel, Step, TenantLimits

REPLIES_MS = 10_000
"""Answers that may not have got to their gateway yet, so that a snapshot holds them."""


class Parts:
    """One of each. Knows nothing of the loop that drives them."""

    def __init__(self, shared: Shared, number: int, wake: Callable[[], None]) -> None:
        self.shared = shared
        self.number = number
        self._wake = wake
        bus, region, quarantine = shared.bus, shared.region, shared.quarantine
        self.table = Table()
        self.timers = Timers()
        self.mailbox = Mailbox()
        self.inbox = Inbox(self.mailbox, quarantine)
        self.direct = DirectInbox(self.mailbox, quarantine)
        self.results = Results(self.table, self.mailbox, quarantine)
        self.replies = Replies(bus)
        self.static_data = StaticDataStore(bus)
        self.quotas = Quotas(bus, region, shared.partitions, number)
        self.committer = Committer(bus, names.journal(region, number), shared.owner)
        self.dispatcher = Dispatcher(
            bus, region, number, on_refused=self._step_refused, remake=self._step_again
        )
        self.takeover = Takeover(bus, region, number, accepts_gap=shared.accepts_gap)
        self.snapshotting = Snapshotting(shared, number, table=self.table, take_rest=self._rest)
        self.sleepers = Sleepers(self.table, self.snapshotting)
        self.repairs = Repairs(self.table, quarantine)
        self.wakeup = Wakeup(self.table, self.mailbox, self.quotas.ended)
        around = self._around()
        self.turns = self.repairs.turns = Turns(around, self.wakeup)
        self.turns.is_first = self.inbox.is_first
        self.turns.came_straight = self.direct.is_dealt_with
        self.tenancy = Tenancy(self.mailbox, self.wakeup, region)
        place = (number, shared.partitions)
        self.schedules = Schedules(around, self.wakeup, self.turns.starts, place)
        self.asking = Asking(bus, self.table, self.inbox, self.replies)
        self._join()

    def _around(self) -> Around:
        return Around(
            table=self.table,
            mailbox=self.mailbox,
            plans=self.shared.plans,
            directory=self.shared.directory,
            wake=self._wake,
            quotas=self.quotas,
            doomed=self.shared.doomed,
            on_broken=self.repairs.on_broken,
            before_change=self.snapshotting.before_change,
            resume_url=self.shared.resume_url,
        )

    def _join(self) -> None:
        self.turns.add_handler(Asked, self.tenancy.on_asked)
        self.turns.add_handler(TenantLimits, self.tenancy.on_limits)
        self.turns.add_handler(WorkflowChanged, self.schedules.on_changed)
        self.turns.add_handler(Due, self.schedules.on_due)
        self.asking.on_lease = self.tenancy.on_ask
        self.asking.on_slots = self.quotas.tell
        self.asking.is_ahead = lambda: self.committer.is_busy
        self.asking.why_no_step = self._why_no_step
        self.asking.is_under_repair = self.repairs.is_under_repair
        self.quotas.on_free = self._may_start
        self.quotas.on_refused = self._may_not_start
        self.quotas.on_step = self._may_send
        self.repairs.on_repaired = self._repaired

    def _rest(self) -> Rest:
        """What a snapshot holds beside the executions."""
        return Rest(
            ended=self.table.ended(),
            beyond=self.inbox.beyond(),
            replies=self.replies.recent(self.shared.clock.now_ms() - REPLIES_MS),
            actors={"tenants": self.tenancy.tenants.dump(), "schedules": self.schedules.dump()},
            direct=self.direct.dealt(),
            direct_beyond=self.direct.beyond(),
            static=self.static_data.waiting(),
        )

    def _may_start(self, tenant: str, execution: str) -> None:
        self.mailbox.put_under_way(tenant, Envelope(Release(execution)))
        self._wake()

    def _may_not_start(self, tenant: str, execution: str) -> None:
        self.mailbox.put_under_way(tenant, Envelope(Release(execution, TOO_MANY, 429)))
        self._wake()

    def _may_send(self, dispatch: Dispatch) -> None:
        state = self.table.active.get(dispatch.step.execution)
        step = dispatch.step
        if state is not None and steps.is_awaited(state, step.seq, step.attempt):
            self.dispatcher.add(dispatch)
            self.dispatcher.flush()

    def _why_no_step(self, execution: str) -> str:
        if not self.dispatcher.is_outstanding(execution):
            return "rate"
        return "" if self.shared.sandboxes.is_any_alive else "no-host"

    def _step_refused(self, step: Step, error: PenstockError) -> None:
        """A step that no message can carry fails its execution."""
        info = ErrorInfo(message=f"The step is too large to be sent: {error.message}")
        self.mailbox.put_under_way(step.tenant, Envelope(Fail(step.execution, info)))
        self._wake()

    def _step_again(self, execution: str, seq: int, attempt: int) -> Dispatch | None:
        """The step that an execution waits for, unless it went on: maybe in a record that is on
        its way, and then nothing must leave yet."""
        state = self.table.active.get(execution)
        if state is None or not steps.is_awaited(state, seq, attempt):
            return None
        return steps.dispatch(state, self.shared.clock.now_ms())

    def _repaired(self, state: State) -> None:
        """What waits for a step may have lost it while nobody could make it anew, or when its turn
        came."""
        execution, tenant = state.request.execution, state.request.tenant
        has_step = self.dispatcher.is_outstanding(execution)
        if has_step or self.quotas.holds_step(tenant, execution):
            return
        for effect in core.outstanding(state, self.shared.clock.now_ms()):
            if isinstance(effect, Dispatch) and self.quotas.may_send(effect):
                self.dispatcher.add(effect)
                self.dispatcher.flush()

    def note_positions(self) -> None:
        """The connection is back, and STEPS and DONE will be asked what they are: `on_reconnect`
        judges by what they were up to now."""
        self.dispatcher.note()
        self.results.note()

    def act_on(self, entries: list[Entry], now_ms: int) -> None:
        """Entries that are stored now and have consequences outside of the partition."""
        for entry in entries:
            if type(entry) is Answered:
                self.replies.add(entry.execution, entry.to, entry.response, now_ms)
            elif type(entry) is Saved:
                self.static_data.save(self.committer.sequence, entry)

    def close_all(self) -> None:
        """Stop whatever the parts do by themselves."""
        self.committer.close()
        self.dispatcher.close()
        self.quotas.close()
        self.snapshotting.close()
        self.repairs.close()
        self.static_data.close()

    # -- after a takeover -----------------------------------------------------------------------

    def restore(self, replayed: Replayed) -> None:
        """Take up what the journal tells, except for executions that must be built."""
        table, rest = self.table, replayed.rest
        table.kept = replayed.kept
        table.held.update(replayed.held)
        for execution in (*replayed.ended, *rest.beyond, *replayed.reader.taken):
            if not table.is_open(execution) and execution not in replayed.grown:
                table.remember(execution)
        self._restore_kept(replayed.kept.values())
        for execution, gateway, reply in rest.replies:
            self.replies.keep(execution, gateway, reply, self.shared.clock.now_ms())
        for at_ms, execution, gateway, reply in replayed.replies:
            self.replies.keep(execution, gateway, reply, at_ms)
        self.inbox.begin(replayed.reader.input_seq, replayed.reader.taken)
        self.direct.begin(replayed.reader.direct, replayed.reader.direct_taken)
        self.results.begin(replayed.done_seq)
        self.tenancy.tenants.load(rest.actors.get("tenants", []))
        self.schedules.load(rest.actors.get("schedules", []))
        for sequence, saved in replayed.saved:
            self.static_data.save(sequence, saved)
        for entry in replayed.others:
            if isinstance(entry, Armed | Fired | Disarmed):
                self.schedules.replay(entry)
            else:
                self.tenancy.replay(entry)
        self.schedules.set_all_timers()
        # What no snapshot has is a reason for one, though nothing may happen any more.
        self.snapshotting.count(replayed.count)

    def _restore_kept(self, every: Collection[Kept]) -> None:
        for kept in every:
            if not kept.is_child:
                self.quotas.restore(kept.tenant, kept.execution)
            self._fails_doomed(kept.execution, kept.tenant)
        self.timers.load((kept.execution, kept.timers) for kept in every if kept.timers)

    def restore_execution(self, state: State, now_ms: int) -> None:
        """Take up an execution, and do again what a dead owner may not have done for it."""
        request = state.request
        self.table.active[request.execution] = state
        if not request.parent:
            self.quotas.restore(request.tenant, request.execution)
        if self._fails_doomed(request.execution, request.tenant):
            return
        effects = core.outstanding(state, now_ms)
        if not state.waiting and all(_is_timeout(effect) for effect in effects):
            self.mailbox.put_going_on(request.tenant, Envelope(Continue(request.execution)))
        for effect in effects:
            if isinstance(effect, Dispatch):
                self.dispatcher.add(effect)
            elif isinstance(effect, SetTimer):
                self.timers.set(request.execution, effect.at_ms, effect.kind, effect.token)
            else:
                self.turns.repeat(state, effect)
        if state.sleep is not None:
            self.sleepers.fell_asleep([request.execution], now_ms)

    def _fails_doomed(self, execution: str, tenant: str) -> bool:
        problem = self.shared.doomed.get(execution)
        if problem is not None:
            error = ErrorInfo(message=problem, name="WorkflowOperationError")
            self.mailbox.put_under_way(tenant, Envelope(Fail(execution, error)))
        return problem is not None

    def abandon(self, execution: str, problem: str) -> None:
        """An execution cannot be taken up: it ends with that as its error."""
        self.table.remember(execution)  # so that its parent does not start it a second time
        self.mailbox.put_under_way("", Envelope(Abandon(execution, problem)))

    def wait_again(self) -> None:
        """Held executions go on waiting for what they wait for."""
        for waiting in list(self.table.held.values()):
            if waiting.reason == "concurrency":
                request = waiting.request
                self.quotas.restore(request.tenant, request.execution, is_held=True)
            else:
                self.turns.starts.wait_again(waiting)

    def cancel_orphans(self) -> None:
        """A caller that was stopped may have died with its owner before its child heard of it."""
        table = self.table
        children = [
            *(state.request for state in table.active.values()),
            *(waiting.request for waiting in table.held.values()),
        ]
        orphans = [(r.execution, r.tenant) for r in children if not self._has_caller(r.parent)]
        for kept in table.kept.values():
            if kept.is_child and not self._has_caller(kept.execution.rpartition("-")[0]):
                orphans.append((kept.execution, kept.tenant))
        for execution, tenant in orphans:
            self.mailbox.put_under_way(tenant, Envelope(Cancel(execution, CALLER_ENDED)))

    def _has_caller(self, parent: str) -> bool:
        return not parent or self.table.is_open(parent)

    async def rebuild(self, execution: str) -> State | None:
        """The execution as the journal has it up to the last stored record."""
        # What this partition was owned with is accepted; nothing else can be missing.
        replayed = await self.takeover.replay(self.snapshotting.store, self.committer.sequence)
        grown = replayed.grown.get(execution)
        if grown is None and execution in replayed.kept:
            grown = Grown(replayed.kept[execution], [])
        if grown is None:
            return None
        plan = await self.shared.plans.load(grown.base.plan)
        if isinstance(plan, str):
            self.abandon(execution, plan)
            return None
        return build(plan, grown, self.shared.resume_url)

    def figures(self) -> dict[str, object]:
        """For `stats`."""
        return {
            "partition": self.number,
            "owner": self.shared.owner,
            "open": len(self.table.active),
            "passivated": len(self.table.kept),
            "held": len(self.table.held),
            "outstanding": len(self.dispatcher),
            "timers": len(self.timers),
            "waiting": len(self.mailbox),
            "dropped": self.direct.dropped,
            "repaired": self.repairs.count,
            "stuck": self.committer.waiting_reason,
            "taps_shed": self.shared.taps.shed,
        }


def _is_timeout(effect: CoreEffect) -> bool:
    return type(effect) is SetTimer and effect.kind == "timeout"
