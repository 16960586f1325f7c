"""Restart intensity and the pure decisions of a supervisor."""

import pytest

from penstock.supervisor.budget import RestartBudget
from penstock.supervisor.child import Exit
from penstock.supervisor.spec import Restart, RestartIntensity, Strategy
from penstock.supervisor.strategy import affected, is_restarted

NORMAL = Exit(is_normal=True, reason="finished")
CRASH = Exit(is_normal=False, reason="exit status 1")


def budget(restarts: int, *, window_s: float) -> RestartBudget:
    return RestartBudget(RestartIntensity(restarts, window_s))


def test_burst_up_to_the_limit_is_repaired_and_the_next_crash_escalates() -> None:
    three_in_ten = budget(3, window_s=10.0)

    assert [three_in_ten.spend(t) for t in (0.0, 0.0, 0.1)] == [True, True, True]
    assert three_in_ten.spend(0.2) is False


def test_restarts_that_left_the_window_are_forgiven() -> None:
    two_in_ten = budget(2, window_s=10.0)

    assert [two_in_ten.spend(t) for t in (0.0, 1.0, 10.0, 11.0)] == [True] * 4
    assert two_in_ten.spend(11.5) is False


def test_a_budget_of_none_escalates_at_the_first_crash() -> None:
    assert budget(0, window_s=1.0).spend(5.0) is False


@pytest.mark.parametrize(
    ("restart", "after_normal", "after_crash"),
    [
        (Restart.PERMANENT, True, True),
        (Restart.TRANSIENT, False, True),
        (Restart.TEMPORARY, False, False),
    ],
)
def test_restart_types_decide_by_the_exit(
    restart: Restart, after_normal: bool, after_crash: bool
) -> None:
    assert is_restarted(restart, NORMAL) is after_normal
    assert is_restarted(restart, CRASH) is after_crash


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.ONE_FOR_ONE, ["b"]),
        (Strategy.ONE_FOR_ALL, ["a", "b", "c"]),
        (Strategy.REST_FOR_ONE, ["b", "c"]),
    ],
)
def test_strategies_choose_who_shares_the_fate(strategy: Strategy, expected: list[str]) -> None:
    assert affected(strategy, ["a", "b", "c"], "b") == expected
