"""Tenants take turns; what is under way goes first; order is kept."""

from penstock.actors.mailbox import Envelope, Mailbox


def take(mailbox: Mailbox, count: int) -> list[str]:
    taken = []
    for envelope in mailbox.take():
        taken.append(envelope.message)
        if len(taken) == count:
            break
    return taken


def filled(**messages: int) -> Mailbox:
    mailbox = Mailbox(quantum=2)
    for tenant, count in messages.items():
        for number in range(count):
            mailbox.put(tenant, Envelope(f"{tenant}{number}"))
    return mailbox


def test_a_tenant_alone_is_served_in_order_without_turns() -> None:
    assert take(filled(a=5), 10) == ["a0", "a1", "a2", "a3", "a4"]


def test_a_burst_of_one_tenant_does_not_starve_another() -> None:
    mailbox = filled(a=100, b=3)

    assert take(mailbox, 7) == ["a0", "a1", "b0", "b1", "a2", "a3", "b2"]
    assert len(mailbox) == 96


def test_turns_go_on_where_a_wake_up_stopped() -> None:
    mailbox = filled(a=4, b=4)

    assert take(mailbox, 1) == ["a0"]
    assert take(mailbox, 3) == ["a1", "b0", "b1"]


def test_what_is_under_way_goes_before_new_work_of_the_same_tenant() -> None:
    mailbox = filled(a=2)
    mailbox.put_under_way("a", Envelope("result"))

    assert take(mailbox, 3) == ["result", "a0", "a1"]


def test_an_execution_that_goes_on_by_itself_takes_turns_with_new_work() -> None:
    mailbox = filled(a=3)
    for number in range(4):
        mailbox.put_going_on("a", Envelope(f"more{number}"))
    mailbox.put_under_way("a", Envelope("result"))

    assert take(mailbox, 9) == ["result", "more0", "a0", "more1", "a1", "more2", "a2", "more3"]


def test_a_tenant_pays_for_messages_that_cost_more() -> None:
    mailbox = filled(a=4, b=6)
    taken = []
    for envelope in mailbox.take():
        taken.append(envelope.message)
        if envelope.message == "a0":
            mailbox.charge("a", 4)

    assert taken[:7] == ["a0", "b0", "b1", "b2", "b3", "a1", "b4"]


def test_what_arrives_during_a_wake_up_is_handled_in_it() -> None:
    mailbox = filled(a=1)
    taken = []
    for envelope in mailbox.take():
        taken.append(envelope.message)
        if len(taken) == 1:
            mailbox.put_under_way("a", Envelope("more"))

    assert taken == ["a0", "more"]
    assert not len(mailbox)
