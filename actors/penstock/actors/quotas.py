"""Quotas: what this partition may start and send for each tenant, under leases from its actor.

Concurrency counts executions that nobody called (a child runs in its parent's slot). Over it, an
execution is held with the reason `concurrency` and starts, in order, when one ends. Only so many
may be held: each partition has its part of the tenant's limit, and what is beyond is refused, once
the actor has said that no slot is free. The gateways refuse it first, as soon as they hear of it
(`tenant`). Steps beyond a tenant's rate wait for tokens. The rate of executions is the gateways' to
refuse.

Until the tenant's actor has answered once, and while nobody can answer, work goes on with what is
known: an outage of the limiter must not become an outage of the work. So a tenant without limits is
forgotten when nothing of it runs, and one with limits is remembered, for its next burst, but its
actor is not asked.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable

from penstock.actors.execution.effects import Dispatch
from penstock.actors.tenant import SLOTS
from penstock.subjects import asks, names
from penstock.subjects.bus import Bus
from penstock.subjects.codec import CodecError
from penstock.subjects.errors import BusError
from penstock.subjects.ids import partition_of

STEPS = "steps"
STEPS_LEASE = 64
REFUSED = "too many wait"


class _Quota:
    """What is known of one tenant here."""

    __slots__ = (
        "asking",
        "is_concurrency_limited",
        "is_rate_limited",
        "is_short",
        "known_until_s",
        "running",
        "slots",
        "steps",
        "tenant",
        "tokens",
        "told",
        "waiting",
        "waiting_max",
    )

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.is_concurrency_limited = False
        self.is_rate_limited = False
        self.is_short = False
        """Whether fewer slots were granted than wanted, or nobody could say."""
        self.known_until_s = 0.0
        self.running = 0
        self.slots = 0
        self.told = -1
        """How many slots the actor knows to be wanted; -1: it may believe anything."""
        self.tokens = 0
        self.waiting: OrderedDict[str, bool] = OrderedDict()
        """Executions, the one that starts next first, and whether it may wait: who may not wants
        to know whether a slot is free."""
        self.waiting_max = -1
        self.steps: deque[Dispatch] = deque()
        self.asking: asyncio.Task[None] | None = None

    @property
    def wanted(self) -> int:
        """How many slots would be in use if there were enough."""
        return self.running + len(self.waiting)

    @property
    def is_full(self) -> bool:
        """Whether no more may wait."""
        return 0 <= self.waiting_max <= len(self.waiting)


class Quotas:
    """See the module's text. `on_free(tenant, execution)`: a held execution has a slot and may
    start; `on_refused(tenant, execution)`: there is none for a held execution, and it may not wait;
    `on_step(dispatch)`: a step that waited may be sent."""

    def __init__(self, bus: Bus, region: str, partitions: int, number: int) -> None:
        self.on_free: Callable[[str, str], None] = lambda tenant, execution: None
        self.on_refused: Callable[[str, str], None] = lambda tenant, execution: None
        self.on_step: Callable[[Dispatch], None] = lambda dispatch: None
        self._bus = bus
        self._region = region
        self._partitions = partitions
        self._holder = f"p{number}"
        self._quotas: dict[str, _Quota] = {}
        self._counted: dict[str, _Quota] = {}
        """Executions that have a slot or wait for one."""

    def admit(self, tenant: str, execution: str, *, is_held: bool = False) -> str:
        """Why `execution` may not start now, and it is queued; empty: it may, and has a slot.

        `REFUSED`: it is not queued either, since too many are."""
        quota = self._quotas.get(tenant)
        if quota is None:
            quota = self._learn(tenant)
        if is_held and execution in self._counted:
            if execution not in quota.waiting:
                return ""  # its slot was given to it when it was let go
            del quota.waiting[execution]
        if quota.is_concurrency_limited:
            is_behind = bool(quota.waiting) and not is_held
            if quota.running >= quota.slots or is_behind:
                may_wait = is_held or not quota.is_full
                if not may_wait and quota.is_short:
                    return REFUSED
                quota.waiting[execution] = may_wait
                quota.waiting.move_to_end(execution, last=not is_held)
                self._counted[execution] = quota
                self._ask_soon(quota)
                return "concurrency"
        quota.running += 1
        self._counted[execution] = quota
        return ""

    def ended(self, execution: str) -> None:
        """It is over, or waits for something else: it has no slot any more, and wants none.

        Whoever ends an execution says so, and need not know whether it had one."""
        quota = self._counted.pop(execution, None)
        if quota is None:
            return
        if execution in quota.waiting:
            del quota.waiting[execution]
            return
        quota.running -= 1
        if quota.waiting:
            self._free(quota)
        elif _is_wanted_elsewhere(quota):
            self._ask_soon(quota)

    def restore(self, tenant: str, execution: str, *, is_held: bool = False) -> None:
        """What a takeover found running, or held."""
        quota = self._quotas.get(tenant) or self._learn(tenant)
        self._counted[execution] = quota
        if is_held:
            # There was a limit a moment ago, so there is one until its actor says otherwise.
            quota.is_concurrency_limited = True
            quota.waiting[execution] = True
        else:
            quota.running += 1

    def may_send(self, dispatch: Dispatch) -> bool:
        """Whether a step may go now; else it is kept and given to `on_step` later."""
        quota = self._quotas.get(dispatch.step.tenant)
        if quota is None or not quota.is_rate_limited:
            return True
        if quota.tokens > 0 and not quota.steps:
            quota.tokens -= 1
            return True
        quota.steps.append(dispatch)
        self._ask_soon(quota)
        return False

    def holds_step(self, tenant: str, execution: str) -> bool:
        """Whether a step of this execution is kept."""
        quota = self._quotas.get(tenant)
        return quota is not None and any(e.step.execution == execution for e in quota.steps)

    def tell(self, tenant: str) -> None:
        """Let the tenant's actor know what is wanted here: it may count slots that an owner before
        this one had. Who has all of its slots in use tells by itself."""
        quota = self._quotas.get(tenant)
        if quota is None:
            self._learn(tenant)
        elif quota.wanted < quota.slots or not quota.wanted:
            self._ask_soon(quota)

    def tick(self) -> None:
        """Once a second: renew what is known and what is wanted."""
        now_s = asyncio.get_running_loop().time()
        for quota in list(self._quotas.values()):
            is_limited = quota.is_concurrency_limited or quota.is_rate_limited
            is_over = now_s >= quota.known_until_s
            if not quota.wanted and not quota.steps and quota.asking is None:
                if is_limited and quota.told == 0:
                    continue
                if not is_limited and quota.known_until_s and is_over:
                    del self._quotas[quota.tenant]
                    continue
            if quota.is_concurrency_limited or quota.steps or is_over:
                self._ask_soon(quota)

    def close(self) -> None:
        """Ask no more."""
        for quota in self._quotas.values():
            if quota.asking is not None:
                quota.asking.cancel()

    def _learn(self, tenant: str) -> _Quota:
        quota = self._quotas[tenant] = _Quota(tenant)
        self._ask_soon(quota)
        return quota

    def _ask_soon(self, quota: _Quota) -> None:
        if quota.asking is None:
            quota.asking = asyncio.ensure_future(self._ask(quota))

    async def _ask(self, quota: _Quota) -> None:
        wanted = quota.wanted
        try:
            slots = await self._ask_slots(quota, wanted)
            tokens = STEPS_LEASE if quota.steps else 0
            steps = await self._question(quota.tenant, STEPS, tokens, 0)
            quota.is_rate_limited = steps.limited
            quota.tokens += steps.granted
            now_s = asyncio.get_running_loop().time()
            quota.known_until_s = now_s + min(slots.ttl_ms, steps.ttl_ms) / 1000
        except (BusError, CodecError):
            # Nobody answers now: what is known goes on to hold.
            if quota.told < 0:
                quota.is_short = True
                self._refuse(quota)
            return
        finally:
            quota.asking = None
        self._free(quota)
        if quota.is_short:
            self._refuse(quota)
        if _is_outdated(quota, wanted):
            self._ask_soon(quota)

    async def _ask_slots(self, quota: _Quota, wanted: int) -> asks.LeaseAnswer:
        # What is not asked for may be another's before the answer is here.
        quota.slots = min(quota.slots, wanted)
        quota.told = -1
        answer = await self._question(quota.tenant, SLOTS, wanted, quota.running)
        quota.told = wanted
        quota.is_concurrency_limited = answer.limited
        quota.is_short = answer.limited and answer.granted < wanted
        quota.slots = answer.granted
        quota.waiting_max = -(-answer.waiting // self._partitions) if answer.waiting >= 0 else -1
        return answer

    async def _question(self, tenant: str, kind: str, tokens: int, using: int) -> asks.LeaseAnswer:
        partition = partition_of(f"tenant/{tenant}", self._partitions)
        question = asks.AskLease(tenant, kind, tokens, self._holder, using)
        subject = names.ask(self._region, partition, "lease")
        answer = await self._bus.request(subject, asks.ask_lease.encode(question))
        return asks.lease_answer.decode(answer)

    def _free(self, quota: _Quota) -> None:
        """Let go what may go."""
        count = len(quota.waiting)
        if quota.is_concurrency_limited:
            count = min(count, quota.slots - quota.running)
        for _ in range(count):
            execution, _may_wait = quota.waiting.popitem(last=False)
            quota.running += 1
            self.on_free(quota.tenant, execution)
        while quota.steps and (quota.tokens > 0 or not quota.is_rate_limited):
            quota.tokens -= 1 if quota.is_rate_limited else 0
            self.on_step(quota.steps.popleft())

    def _refuse(self, quota: _Quota) -> None:
        """No slot is free: those who may not wait go, but for as many as there is room for now."""
        unsure = [execution for execution, may_wait in quota.waiting.items() if not may_wait]
        for execution in unsure:
            del quota.waiting[execution]
        for execution in unsure:
            if quota.is_full:
                del self._counted[execution]
                self.on_refused(quota.tenant, execution)
            else:
                quota.waiting[execution] = True


def _is_wanted_elsewhere(quota: _Quota) -> bool:
    """Whether a slot must be given back at once: where nothing waits, others are refused for it."""
    return quota.waiting_max == 0 and quota.wanted < quota.slots


def _is_outdated(quota: _Quota, wanted: int) -> bool:
    """Whether the actor must hear of what came or went while it was told of `wanted`."""
    if not quota.is_concurrency_limited:
        return False
    may_get_more = bool(quota.waiting) and not quota.is_short
    return may_get_more or quota.running > wanted or _is_wanted_elsewhere(quota)
