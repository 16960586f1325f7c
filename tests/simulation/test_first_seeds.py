"""The first half of the seeds of a test run; see `promises`."""

import pytest

from tests.simulation.promises import PER_TEST, SEEDS, broken_and_missing


@pytest.mark.parametrize("first", range(0, SEEDS // 2, PER_TEST))
def test_every_promise_is_kept_under_faults(first: int) -> None:
    broken, missing = broken_and_missing(first)

    assert broken == []
    assert missing == [], "these faults and situations never came about"
