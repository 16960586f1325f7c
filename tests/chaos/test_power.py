"""What was acknowledged survives a power cut, not only the death of processes."""

import os
import random

import pytest

from tests.chaos.figures import broken
from tests.chaos.power import power_drill, why_not

SEED = int(os.environ.get("PENSTOCK_SEED", str(random.SystemRandom().randrange(10**6))))


def test_nothing_acknowledged_is_lost_when_the_power_is_cut() -> None:
    if reason := why_not():
        pytest.skip(reason)

    assert broken(power_drill(1, SEED)) == []
