"""Processes that die in the gaps of the commit path lose nothing and do nothing twice."""

import os
import random

from tests.chaos.crashes import crash_drill
from tests.chaos.figures import broken
from tests.chaos.nth_failure import loop_drill

SEED = int(os.environ.get("PENSTOCK_SEED", str(random.SystemRandom().randrange(10**6))))


def test_a_crash_at_each_named_point_under_load_loses_nothing() -> None:
    assert broken(crash_drill(1, SEED)) == []


def test_an_execution_that_is_interrupted_at_its_nth_append_does_the_same() -> None:
    assert broken(loop_drill(1, SEED)) == []
