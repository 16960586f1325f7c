"""A schedule fires once per due time, whatever was missed and however the clock jumps."""

from typing import Any

from penstock.actors import schedule
from penstock.actors.journal import Fired
from penstock.actors.schedule import ScheduleState
from penstock.nodes.registry import REGISTRY
from penstock.subjects.ids import partition_of
from penstock.workflow.compile import compile_document
from penstock.workflow.plan import Plan

START = 1_800_000_000_000
MINUTE = 60_000


def plan(seconds: int = 60, **settings: Any) -> Plan:
    node = {
        "id": "t",
        "name": "Every",
        "type": "n8n-nodes-base.interval",
        "typeVersion": 1,
        "position": [0, 0],
        "parameters": {"interval": seconds, "unit": "seconds"},
    }
    document = {"name": "w", "nodes": [node], "connections": {}, "penstock": settings}
    return compile_document(document, REGISTRY)


def armed(of: Plan) -> ScheduleState:
    state = ScheduleState("main", "w", {})
    schedule.arm(state, of, ["Every"], START)
    return state


def fired(state: ScheduleState, of: Plan, now_ms: int) -> list[int]:
    _, fires = schedule.fire(state, of, "Every", now_ms, partition=(0, 4))
    return [(fire.due_ms - START) // MINUTE for fire in fires]


def test_it_fires_at_each_due_time_once() -> None:
    every_minute = plan()
    state = armed(every_minute)

    assert fired(state, every_minute, START + MINUTE - 1) == []
    assert fired(state, every_minute, START + MINUTE) == [1]
    assert fired(state, every_minute, START + MINUTE) == []
    assert fired(state, every_minute, START + 2 * MINUTE + 5) == [2]


def test_due_times_within_the_grace_of_a_takeover_all_fire() -> None:
    every_second = plan(1)
    state = armed(every_second)

    _, fires = schedule.fire(state, every_second, "Every", START + 5_000, partition=(0, 4))

    assert [fire.due_ms for fire in fires] == [START + 1_000 * n for n in range(1, 6)]


def test_what_was_missed_runs_once_by_default() -> None:
    every_minute = plan()
    state = armed(every_minute)

    assert fired(state, every_minute, START + 10 * MINUTE) == [1, 10]


def test_what_was_missed_is_skipped_or_all_run_on_request() -> None:
    skipping, running_all = plan(misfire="skip"), plan(misfire="all")

    assert fired(armed(skipping), skipping, START + 10 * MINUTE) == [10]
    assert fired(armed(running_all), running_all, START + 5 * MINUTE) == [1, 2, 3, 4, 5]


def test_a_clock_that_goes_back_fires_nothing_twice() -> None:
    every_minute = plan()
    state = armed(every_minute)
    fired(state, every_minute, START + 3 * MINUTE)

    assert fired(state, every_minute, START + MINUTE) == []
    assert fired(state, every_minute, START + 4 * MINUTE) == [4]


def test_the_execution_of_a_due_time_is_always_the_same_and_in_the_schedules_partition() -> None:
    state = armed(plan())

    ids = {schedule.execution_id(state, "Every", START, (2, 4)) for _ in range(3)}

    assert len(ids) == 1
    assert partition_of(ids.pop(), 4) == 2


def test_replaying_the_entries_gives_the_same_due_time() -> None:
    every_minute = plan()
    state, again = ScheduleState("main", "w", {}), ScheduleState("main", "w", {})
    entries = schedule.arm(state, every_minute, ["Every"], START)
    entries += schedule.fire(state, every_minute, "Every", START + MINUTE, partition=(0, 4))[0]
    for entry in entries:
        schedule.apply(again, entry)

    assert again == state
    assert again.triggers["Every"].due_ms == START + 2 * MINUTE


def test_arming_the_same_version_again_changes_nothing() -> None:
    every_minute = plan()
    state = armed(every_minute)

    assert schedule.arm(state, every_minute, ["Every"], START + 5) == []
    assert [type(e).__name__ for e in schedule.arm(state, plan(30), ["Every"], START)] == [
        "Disarmed",
        "Armed",
    ]


def test_a_schedule_that_is_off_is_never_due() -> None:
    every_minute = plan()
    state = armed(every_minute)
    schedule.disarm(state)

    assert fired(state, every_minute, START + MINUTE) == []
    assert schedule.disarm(state) == []


def test_a_skipped_due_time_is_recorded_without_an_execution() -> None:
    skipping = plan(misfire="skip")
    state = armed(skipping)

    entries, _ = schedule.fire(state, skipping, "Every", START + 3 * MINUTE, partition=(0, 4))

    assert isinstance(entries[0], Fired)
    assert entries[0].execution == ""
