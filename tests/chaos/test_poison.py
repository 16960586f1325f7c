"""A message that nobody can handle costs its own execution, and nobody else anything."""

import os
import random

from tests.chaos.figures import broken
from tests.chaos.poison import poison_drill

SEED = int(os.environ.get("PENSTOCK_SEED", str(random.SystemRandom().randrange(10**6))))


def test_poison_is_set_aside_after_three_tries_and_its_neighbours_go_on() -> None:
    assert broken(poison_drill(5, SEED)) == []
