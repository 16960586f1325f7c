"""The tenant actor: what a tenant may use, given out as leases. Pure.

Token buckets (webhooks, executions, steps per second) refill with time; whoever spends tokens
asks for some ahead of need, so the hot path asks nobody. Concurrency slots belong to partitions:
each tells how many executions it wants to have running, and what it is granted holds until it
tells again; when slots are short, the others are asked to (`doubted`), since an owner that died
may have left some that nobody uses. A limit of -1 is none, costs nothing, and is said so.

What waits for a slot waits in a partition, and only so many may: while that many do, gateways are
granted nothing, and partitions end what comes nevertheless (`quotas`). Where none may, that is left
to the partitions, which find out whether a slot is free.

Limits and slots are journalled. Who wants some tells how many anew each second. Tokens are not
journalled either: after a takeover the buckets are full, so that at worst one burst is given twice.
"""

import math
from typing import Any

import msgspec

from penstock.actors.journal import Entry, Leased, Limited
from penstock.subjects.asks import AskLease, LeaseAnswer
from penstock.subjects.messages import TenantLimits

TTL_MS = 2_000
UNLIMITED_TTL_MS = 5_000
SLOTS_RETRY_MS = 1_000
WAITING_TTL_MS = 5_000
"""A partition tells each second what waits there; the owner of one that has not for so long died,
and the next one may have nothing to tell."""
SLOTS = "slots"
STARTING = ("webhooks", "executions")
"""Kinds of tokens for what starts an execution."""


class TenantState(msgspec.Struct, array_like=True, gc=False):
    """One tenant. `buckets`: kind to (tokens, when that was); `slots`: holder to how many;
    `waiting`: holder to how many executions wait there for one; `told_ms`: when it said so."""

    limits: TenantLimits
    slots: dict[str, int] = {}
    buckets: dict[str, tuple[float, int]] = {}
    waiting: dict[str, int] = {}
    told_ms: dict[str, int] = {}


def ask(state: TenantState, question: AskLease, now_ms: int) -> tuple[LeaseAnswer, list[Entry]]:
    """Answer a question for a lease; the entries have been applied."""
    if question.kind == SLOTS:
        return _slots(state, question, now_ms)
    if question.kind in STARTING and _waits_enough(state, now_ms):
        reason = f"{state.limits.waiting} executions wait already to be started"
        return LeaseAnswer(0, TTL_MS, retry_after_ms=SLOTS_RETRY_MS, reason=reason), []
    rate, burst = _limit(state.limits, question.kind)
    if rate < 0:
        # Where executions may have to wait, that it is too many must be heard of soon.
        ttl_ms = UNLIMITED_TTL_MS if state.limits.concurrency < 0 else TTL_MS
        return LeaseAnswer(0, ttl_ms, limited=False), []
    tokens = _refilled(state, question.kind, rate, burst, now_ms)
    granted = max(0, min(question.tokens, int(tokens)))
    state.buckets[question.kind] = (tokens - granted, now_ms)
    if granted or not question.tokens:
        return LeaseAnswer(granted, TTL_MS), []
    retry_ms = math.ceil((1.0 - tokens) / rate * 1000) if rate else 60_000
    reason = f"{question.kind} are limited to {rate:g} per second"
    return LeaseAnswer(0, TTL_MS, retry_after_ms=retry_ms, reason=reason), []


def doubted(state: TenantState, question: AskLease, answer: LeaseAnswer) -> list[int]:
    """The partitions that have slots which somebody who was refused some could use."""
    if question.kind != SLOTS or not answer.reason:
        return []
    others = (holder[1:] for holder in state.slots if holder != question.holder)
    return [int(number) for number in others if number.isascii() and number.isdigit()]


def limit(state: TenantState, limits: TenantLimits) -> list[Entry]:
    """New limits. Tokens beyond a smaller burst are gone; slots in use stay until they end."""
    entry = Limited(limits)
    apply(state, entry)
    return [entry]


def apply(state: TenantState, entry: Limited | Leased) -> None:
    """Change the state by what was journalled."""
    if isinstance(entry, Limited):
        state.limits = entry.limits
        state.buckets = {}
    elif entry.count:
        state.slots[entry.holder] = int(entry.count)
    else:
        state.slots.pop(entry.holder, None)


def _slots(state: TenantState, question: AskLease, now_ms: int) -> tuple[LeaseAnswer, list[Entry]]:
    most = state.limits.concurrency
    had = state.slots.get(question.holder, 0)
    if most < 0:
        state.waiting.clear()
        state.told_ms.clear()
        entries = _leased(state, question, had, 0) if had else []
        return LeaseAnswer(0, UNLIMITED_TTL_MS, limited=False), entries
    others = sum(state.slots.values()) - had
    granted = max(0, min(question.tokens, most - others))
    entries = _leased(state, question, had, max(granted, question.using))
    state.waiting[question.holder] = question.tokens - granted
    state.told_ms[question.holder] = now_ms
    room = state.limits.waiting
    if granted >= question.tokens:
        return LeaseAnswer(granted, TTL_MS, waiting=room), entries
    reason = f"at most {most} executions may run at once"
    answer = LeaseAnswer(
        granted, TTL_MS, retry_after_ms=SLOTS_RETRY_MS, reason=reason, waiting=room
    )
    return answer, entries


def _waits_enough(state: TenantState, now_ms: int) -> bool:
    # Where nothing may wait, only the partitions know whether something could run.
    if state.limits.waiting <= 0:
        return False
    told_ms = state.told_ms
    waits = sum(
        count
        for holder, count in state.waiting.items()
        # A clock that jumped makes what is known old as well: it is told anew in a second.
        if abs(now_ms - told_ms.get(holder, 0)) <= WAITING_TTL_MS
    )
    return waits >= state.limits.waiting


def _leased(state: TenantState, question: AskLease, had: int, count: int) -> list[Entry]:
    if count == had:
        return []
    entry = Leased(question.tenant, SLOTS, question.holder, count, -1)
    apply(state, entry)
    return [entry]


def _limit(limits: TenantLimits, kind: str) -> tuple[float, int]:
    """Rate per second and burst; an unset burst is one second's worth."""
    rate: float = getattr(limits, f"{kind}_per_s", -1)
    burst: int = getattr(limits, f"{kind}_burst", -1)
    return rate, burst if burst >= 0 else max(1, math.ceil(rate))


def _refilled(state: TenantState, kind: str, rate: float, burst: int, now_ms: int) -> float:
    tokens, at_ms = state.buckets.get(kind, (float(burst), now_ms))
    # A clock that went back gives nothing and takes nothing.
    return min(float(burst), tokens + max(0, now_ms - at_ms) * rate / 1000)


class Tenants:
    """The tenants of one partition."""

    def __init__(self) -> None:
        self._tenants: dict[str, TenantState] = {}

    def of(self, tenant: str) -> TenantState:
        """The tenant's state; one that nobody has limited has no limits."""
        state = self._tenants.get(tenant)
        if state is None:
            state = self._tenants[tenant] = TenantState(TenantLimits(tenant), {}, {})
        return state

    def apply(self, entry: Limited | Leased) -> None:
        """Replay one entry."""
        tenant = entry.limits.tenant if isinstance(entry, Limited) else entry.tenant
        apply(self.of(tenant), entry)

    def dump(self) -> list[Any]:
        """For the snapshot."""
        return list(self._tenants.values())

    def load(self, dumped: Any) -> None:
        """From the snapshot."""
        for state in msgspec.convert(dumped, list[TenantState]):
            self._tenants[state.limits.tenant] = state
