"""Timers fire once, in order, and a later setting voids an earlier one."""

from penstock.actors.timers import TimerDue, Timers


def test_timers_come_due_in_order_and_once() -> None:
    timers = Timers()
    timers.set("b", 20, "wait", 1)
    timers.set("a", 10, "wait", 1)
    timers.set("c", 30, "wait", 1)

    assert list(timers.due(20)) == [TimerDue("a", "wait", 1), TimerDue("b", "wait", 1)]
    assert list(timers.due(20)) == []
    assert timers.next_ms == 30


def test_setting_the_same_kind_again_voids_the_earlier_timer() -> None:
    timers = Timers()
    timers.set("a", 10, "retry", 1)
    timers.set("a", 99, "timeout", 0)
    timers.set("a", 20, "retry", 2)

    assert list(timers.due(15)) == []
    assert list(timers.due(25)) == [TimerDue("a", "retry", 2)]
    assert timers.of("a") == ((99, "timeout", 0),)


def test_cancelled_timers_do_not_fire_and_their_memory_goes() -> None:
    timers = Timers()
    for number in range(5_000):
        timers.set(f"e{number}", number, "wait", 1)
        timers.cancel(f"e{number}")

    assert len(timers) == 0
    assert len(timers._heap) < 2_000
    assert list(timers.due(10_000)) == []
