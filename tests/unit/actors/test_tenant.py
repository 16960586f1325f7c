"""A tenant's tokens and slots are given out within its limits, and unlimited costs nothing."""

import msgspec

from penstock.actors import tenant
from penstock.actors.journal import Leased, Limited
from penstock.actors.tenant import Tenants, TenantState
from penstock.subjects.asks import AskLease, LeaseAnswer
from penstock.subjects.messages import TenantLimits


def ask(state: TenantState, kind: str, tokens: int, now_ms: int = 0) -> LeaseAnswer:
    return tenant.ask(state, AskLease("t", kind, tokens), now_ms)[0]


def test_without_a_limit_nobody_needs_to_ask_again() -> None:
    state = TenantState(TenantLimits("t"), {}, {})

    for kind in ("webhooks", "executions", "steps", "slots"):
        assert ask(state, kind, 10).limited is False


def test_a_burst_is_granted_and_then_the_rate() -> None:
    state = TenantState(TenantLimits("t", webhooks_per_s=10, webhooks_burst=20), {}, {})

    assert ask(state, "webhooks", 50).granted == 20
    refused = ask(state, "webhooks", 1)
    assert (refused.granted, refused.retry_after_ms) == (0, 100)
    assert "10 per second" in refused.reason
    assert ask(state, "webhooks", 50, now_ms=500).granted == 5


def test_a_clock_that_goes_back_grants_nothing() -> None:
    state = TenantState(TenantLimits("t", steps_per_s=1), {}, {})
    ask(state, "steps", 1, now_ms=1_000_000)

    assert ask(state, "steps", 1, now_ms=0).granted == 0


def test_slots_are_shared_between_partitions_and_never_more_than_allowed() -> None:
    state = TenantState(TenantLimits("t", concurrency=5), {}, {})

    answers = [
        tenant.ask(state, AskLease("t", "slots", wanted, holder, using), 0)[0].granted
        for holder, wanted, using in (("p0", 4, 0), ("p1", 4, 0), ("p0", 1, 1), ("p1", 4, 1))
    ]

    assert answers == [4, 1, 1, 4]
    assert sum(state.slots.values()) == 5


def test_while_too_many_wait_for_slots_nothing_more_is_started() -> None:
    state = TenantState(TenantLimits("t", concurrency=2, waiting=5), {}, {})
    tenant.ask(state, AskLease("t", "slots", 4, "p0", 2), 0)
    assert not ask(state, "webhooks", 8, now_ms=0).limited

    tenant.ask(state, AskLease("t", "slots", 3, "p1", 0), 0)
    refused = [ask(state, kind, 8, now_ms=0) for kind in ("webhooks", "executions")]
    assert [(one.granted, one.limited) for one in refused] == [(0, True)] * 2
    assert all(one.retry_after_ms > 0 and "5 executions wait" in one.reason for one in refused)
    assert not ask(state, "steps", 8, now_ms=0).limited

    tenant.ask(state, AskLease("t", "slots", 2, "p0", 2), 0)
    assert not ask(state, "webhooks", 8, now_ms=0).limited


def test_where_executions_may_have_to_wait_gateways_ask_again_soon() -> None:
    limited = TenantState(TenantLimits("t", concurrency=2), {}, {})
    free = TenantState(TenantLimits("t"), {}, {})

    assert ask(limited, "webhooks", 8, now_ms=0).ttl_ms < ask(free, "webhooks", 8, now_ms=0).ttl_ms


def test_a_lower_limit_takes_no_slot_away_from_what_runs() -> None:
    state = TenantState(TenantLimits("t", concurrency=5), {}, {})
    tenant.ask(state, AskLease("t", "slots", 4, "p0", 4), 0)
    tenant.limit(state, TenantLimits("t", concurrency=2))

    answer, _ = tenant.ask(state, AskLease("t", "slots", 6, "p0", 4), 0)

    assert answer.granted == 2
    assert state.slots == {"p0": 4}


def test_who_has_slots_is_asked_about_them_only_when_somebody_is_refused_some() -> None:
    state = TenantState(TenantLimits("t", concurrency=3), {}, {})
    tenant.ask(state, AskLease("t", "slots", 2, "p7", 0), 0)
    enough, short = AskLease("t", "slots", 1, "p0", 0), AskLease("t", "slots", 2, "p0", 0)

    assert tenant.doubted(state, enough, tenant.ask(state, enough, 0)[0]) == []
    assert tenant.doubted(state, short, tenant.ask(state, short, 0)[0]) == [7]


def test_replaying_the_entries_gives_the_same_state() -> None:
    state, entries = TenantState(TenantLimits("t"), {}, {}), []
    entries += tenant.limit(state, TenantLimits("t", concurrency=3))
    entries += tenant.ask(state, AskLease("t", "slots", 2, "p0", 0), 0)[1]
    entries += tenant.ask(state, AskLease("t", "slots", 0, "p0", 0), 0)[1]

    again = Tenants()
    for entry in entries:
        assert isinstance(entry, Limited | Leased)
        again.apply(entry)

    assert again.of("t").slots == state.slots == {}
    assert again.of("t").limits.concurrency == 3


def test_tenants_survive_a_snapshot() -> None:
    tenants = Tenants()
    tenant.limit(tenants.of("t"), TenantLimits("t", concurrency=3))
    dumped = msgspec.msgpack.decode(msgspec.msgpack.encode(tenants.dump()))

    again = Tenants()
    again.load(dumped)

    assert again.of("t").limits.concurrency == 3
