"""Partitions keep to a tenant's limits together, and what is free is used."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from penstock.actors import tenant as actor
from penstock.actors.execution import answers
from penstock.actors.quotas import REFUSED, Quotas
from penstock.actors.tenant import TenantState
from penstock.subjects import asks
from penstock.subjects.bus import Message
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.memory_broker import Faults, MemoryBroker
from penstock.subjects.messages import Cancel, TenantLimits
from tests.simulation import virtual
from tests.unit.actors.owner import Owner, ends, owned

ANSWER_S = 0.005
"""A question waits for the append of the tenant's partition."""


class Tenant:
    """The actor of one tenant and the partitions that ask it."""

    def __init__(self, limits: TenantLimits, partitions: int) -> None:
        self.state = TenantState(limits)
        self.questions: list[asks.AskLease] = []
        self.is_away = False
        self.running: set[str] = set()
        self.refused: set[str] = set()
        self._held: dict[str, Quotas] = {}
        self._broker = MemoryBroker(Faults())
        self._bus = MemoryBus(self._broker)
        self._bus.subscribe("ask.local.*.lease", self._on_ask)
        self.partitions = [self._partition(number, partitions) for number in range(partitions)]

    def _partition(self, number: int, partitions: int) -> Quotas:
        quotas = Quotas(MemoryBus(self._broker), "local", partitions, number)

        def may_start(tenant: str, execution: str) -> None:
            if not quotas.admit(tenant, execution, is_held=True):
                self.running.add(execution)

        quotas.on_free = may_start
        quotas.on_refused = lambda _, execution: self.refused.add(execution)
        return quotas

    def take_over(self, number: int) -> Quotas:
        """The owner of a partition dies; whoever follows finds nothing open."""
        self.partitions[number].close()
        self.partitions[number] = self._partition(number, len(self.partitions))
        return self.partitions[number]

    def run(self, number: int, *executions: str) -> None:
        """Executions come to a partition."""
        for execution in executions:
            reason = self.partitions[number].admit("main", execution)
            if reason == REFUSED:
                self.refused.add(execution)
            elif not reason:
                self.running.add(execution)

    def end(self, number: int, *executions: str) -> None:
        """Executions end, wherever they have got to."""
        for execution in executions:
            self.running.discard(execution)
            self.partitions[number].ended(execution)

    async def warm(self) -> None:
        """All partitions learn of the limits."""
        for number in range(len(self.partitions)):
            self.run(number, f"warm-{number}")
        await self.tick(1)
        for number in range(len(self.partitions)):
            self.end(number, f"warm-{number}")
        await self.tick(2)
        self.questions.clear()
        self.refused.clear()

    async def tick(self, seconds: int) -> None:
        """Time passes."""
        for _ in range(seconds):
            for quotas in self.partitions:
                quotas.tick()
            await asyncio.sleep(1)

    def are_gateways_refused(self) -> bool:
        """Whether a gateway that asks for tokens gets none."""
        lease, _ = actor.ask(self.state, asks.AskLease("main", "webhooks", 8), _now_ms())
        return lease.limited

    def _on_ask(self, message: Message) -> None:
        if self.is_away:
            return
        question = asks.ask_lease.decode(message.payload)
        self.questions.append(question)
        answer, _ = actor.ask(self.state, question, _now_ms())
        frame = asks.lease_answer.encode(answer)
        loop = asyncio.get_running_loop()
        loop.call_later(ANSWER_S, self._bus.publish, message.reply, frame)


def _now_ms() -> int:
    return int(asyncio.get_running_loop().time() * 1000)


def shared(
    limits: TenantLimits, test: Callable[[Tenant], Awaitable[None]], *, partitions: int = 2
) -> None:
    """Run a test with a tenant, in virtual time."""

    async def main() -> None:
        tenant = Tenant(limits, partitions)
        await tenant.warm()
        await test(tenant)

    virtual.run(main())


def test_what_a_partition_no_longer_wants_is_not_used_there_while_another_gets_it() -> None:
    async def test(tenant: Tenant) -> None:
        tenant.run(0, *(f"a{n}" for n in range(10)))
        await tenant.tick(2)
        assert len(tenant.running) == 10
        tenant.end(0, *(f"a{n}" for n in range(9)))

        tenant.partitions[0].tick()  # one is wanted now: nine are given back
        await asyncio.sleep(ANSWER_S / 2)
        tenant.run(0, *(f"b{n}" for n in range(9)))
        tenant.run(1, *(f"c{n}" for n in range(9)))
        tenant.partitions[1].tick()
        await asyncio.sleep(0.1)

        assert len(tenant.running) == 10

    shared(TenantLimits("main", concurrency=10), test)


def test_what_started_before_the_limit_was_known_is_told_at_once() -> None:
    async def test(tenant: Tenant) -> None:
        quotas = tenant.take_over(0)
        tenant.run(0, "a0")
        await asyncio.sleep(ANSWER_S / 2)
        tenant.run(0, *(f"a{n}" for n in range(1, 10)))
        await asyncio.sleep(0.1)

        tenant.run(1, "b0")
        await asyncio.sleep(0.1)

        assert "b0" not in tenant.running
        assert quotas.admit("main", "a10") == "concurrency"

    shared(TenantLimits("main", concurrency=10), test)


def test_where_nothing_may_wait_what_finds_a_free_slot_runs() -> None:
    async def test(tenant: Tenant) -> None:
        for number in range(20):
            tenant.run(number % 4, f"e{number}")
            await asyncio.sleep(0.05)
            tenant.end(number % 4, f"e{number}")
            await asyncio.sleep(0.05)
            assert not tenant.are_gateways_refused()

        assert not tenant.refused

    shared(TenantLimits("main", concurrency=2, waiting=0), test, partitions=4)


def test_where_nothing_may_wait_a_slot_that_is_left_while_a_question_is_open_is_free() -> None:
    async def test(tenant: Tenant) -> None:
        tenant.run(0, "a0")
        await asyncio.sleep(0.1)

        tenant.partitions[0].tick()
        await asyncio.sleep(ANSWER_S / 2)
        tenant.end(0, "a0")
        await asyncio.sleep(0.1)
        tenant.run(1, "b0")
        await asyncio.sleep(0.1)

        assert tenant.running == {"b0"}

    shared(TenantLimits("main", concurrency=1, waiting=0), test)


def test_where_nothing_may_wait_what_finds_no_slot_is_refused() -> None:
    async def test(tenant: Tenant) -> None:
        tenant.run(0, "a0", "a1", "a2")
        tenant.run(1, "b0")
        await asyncio.sleep(0.1)
        tenant.run(1, "b1")

        assert tenant.running == {"a0", "a1"}
        assert tenant.refused == {"a2", "b0", "b1"}
        assert not tenant.are_gateways_refused()

        tenant.end(0, "a0", "a1")
        await tenant.tick(1)
        tenant.run(1, "b2", "b3")
        await asyncio.sleep(0.1)
        assert tenant.running == {"b2", "b3"}

    shared(TenantLimits("main", concurrency=2, waiting=0), test)


def test_where_nothing_may_wait_a_limiter_that_is_away_keeps_nobody_waiting() -> None:
    async def test(tenant: Tenant) -> None:
        tenant.is_away = True
        tenant.run(0, "a0")
        await tenant.tick(3)
        assert tenant.refused == {"a0"}

        tenant.is_away = False
        await tenant.tick(3)
        tenant.run(0, "a1")
        await asyncio.sleep(0.1)
        assert tenant.running == {"a1"}

    shared(TenantLimits("main", concurrency=2, waiting=0), test)


def test_a_burst_is_not_refused_before_it_is_known_whether_there_are_slots_for_it() -> None:
    async def test(tenant: Tenant) -> None:
        burst = [f"a{n}" for n in range(15)]
        tenant.run(0, *burst)
        await asyncio.sleep(0.1)

        assert tenant.running == set(burst[:10])
        assert tenant.refused == set(burst[11:])  # one of two may wait here

    shared(TenantLimits("main", concurrency=10, waiting=2), test)


def test_who_waited_before_less_was_allowed_to_goes_on_waiting() -> None:
    async def test(tenant: Tenant) -> None:
        tenant.run(0, "a0", "a1", "a2")
        await tenant.tick(1)
        actor.limit(tenant.state, TenantLimits("main", concurrency=1, waiting=0))
        await tenant.tick(2)
        tenant.run(0, "a3")
        assert tenant.refused == {"a3"}

        tenant.end(0, "a0")
        tenant.end(0, "a1")
        assert tenant.running == {"a2"}

    shared(TenantLimits("main", concurrency=1, waiting=10), test)


def test_what_a_dead_owner_told_to_wait_refuses_callers_for_seconds_only() -> None:
    async def test(tenant: Tenant) -> None:
        tenant.run(1, *(f"b{n}" for n in range(6)))
        await tenant.tick(1)
        assert tenant.are_gateways_refused()
        tenant.take_over(1)

        await tenant.tick(6)

        assert not tenant.are_gateways_refused()

    shared(TenantLimits("main", concurrency=1, waiting=5), test, partitions=2)


def test_nobody_is_asked_about_a_tenant_of_which_nothing_runs() -> None:
    async def test(tenant: Tenant) -> None:
        await tenant.tick(60)
        assert tenant.questions == []

        tenant.run(0, "a0", "a1", "a2")
        await asyncio.sleep(0.1)
        assert tenant.running == {"a0", "a1"}

        tenant.end(0, "a0", "a1", "a2")
        await tenant.tick(2)
        assert tenant.state.slots == {}
        tenant.questions.clear()
        await tenant.tick(60)
        assert tenant.questions == []

    shared(TenantLimits("main", concurrency=2), test)


def test_a_tenant_without_limits_is_forgotten_and_learned_of_anew() -> None:
    async def test(tenant: Tenant) -> None:
        await tenant.tick(60)
        assert len(tenant.questions) <= 4  # one lease may not have been over
        tenant.questions.clear()

        actor.limit(tenant.state, TenantLimits("main", concurrency=1))
        tenant.run(0, "a0")
        await asyncio.sleep(0.1)
        tenant.run(0, "a1")

        assert tenant.running == {"a0"}

    shared(TenantLimits("main"), test)


def test_an_idle_partition_that_is_asked_about_slots_tells_that_it_wants_none() -> None:
    async def test(tenant: Tenant) -> None:
        frozen = asks.AskLease("main", "slots", 2, "p0", 2)  # an owner that was overtaken
        actor.ask(tenant.state, frozen, _now_ms())
        assert tenant.state.slots == {"p0": 2}

        tenant.partitions[0].tell("main")
        await asyncio.sleep(0.1)

        assert tenant.state.slots == {}

    shared(TenantLimits("main", concurrency=2), test)


def test_who_ends_after_it_was_let_go_and_before_it_starts_gives_its_slot_back() -> None:
    async def test(tenant: Tenant) -> None:
        tenant.run(0, "a0", "a1", "a2")
        await asyncio.sleep(0.1)
        tenant.partitions[0].on_free = lambda tenant, execution: None
        tenant.end(0, "a0")
        tenant.end(0, "a1")

        assert tenant.partitions[0].admit("main", "a2", is_held=True) == ""
        assert tenant.partitions[0].admit("main", "a3") == "concurrency"

    shared(TenantLimits("main", concurrency=1), test)


def test_an_abandoned_execution_gives_its_slot_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_at_end(*_: object) -> None:
        raise RuntimeError("this answer cannot be made")

    async def test(owner: Owner) -> None:
        owner.signal(TenantLimits("main", concurrency=1))
        owner.run("e1", "called")
        await asyncio.sleep(5)
        with monkeypatch.context() as patch:
            patch.setattr(answers, "at_end", raise_at_end)
            owner.signal(Cancel("e1"))
            await asyncio.sleep(2)
        assert ends(owner) == {"e1": "error"}

        owner.run("e2", "inline")
        await asyncio.sleep(10)

        assert ends(owner)["e2"] == "success"

    owned(test)


def test_callers_are_answered_429_where_nothing_may_wait_and_200_where_a_slot_is_free() -> None:
    async def test(owner: Owner) -> None:
        owner.signal(TenantLimits("main", concurrency=1, waiting=0))
        owner.run("e0", "inline")  # with it the partition learns of the limit
        await asyncio.sleep(5)

        owner.run("e1", "inline")
        await asyncio.sleep(1)
        owner.run("e2", "called")
        owner.run("e3", "inline")
        await asyncio.sleep(1)

        statuses = {reply.execution: reply.status for reply in owner.replies}
        assert statuses == {"e0": 200, "e1": 200, "e3": 429}
        assert set(owner.partition.table.active) == {"e2"}
        assert not owner.partition.table.held

    owned(test)
