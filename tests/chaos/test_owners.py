"""Of two owners only one can write, and a dead one is replaced within two seconds."""

import os
import random

from tests.chaos.figures import broken
from tests.chaos.owners import owner_drill

SEED = int(os.environ.get("PENSTOCK_SEED", str(random.SystemRandom().randrange(10**6))))


def test_a_frozen_owner_writes_nothing_when_it_wakes_and_a_dead_one_is_replaced() -> None:
    assert broken(owner_drill(2, SEED)) == []
