"""A load that is over leaves nothing behind."""

import os
import random

from tests.chaos.figures import broken
from tests.chaos.leaks import leak_drill

SEED = int(os.environ.get("PENSTOCK_SEED", str(random.SystemRandom().randrange(10**6))))


def test_a_load_leaves_no_descriptor_thread_consumer_or_memory_behind() -> None:
    assert broken(leak_drill(1_000, SEED)) == []
