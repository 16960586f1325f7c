"""Three brokers whose disks somebody else fills: all three, then one of them."""

import os
import random

import pytest

from tests.chaos.figures import broken
from tests.chaos.full_disks import cluster_drill
from tests.chaos.mounts import why_not

SEED = int(os.environ.get("PENSTOCK_SEED", str(random.SystemRandom().randrange(10**6))))


def test_three_brokers_with_full_disks_lose_nothing_and_heal_without_a_person() -> None:
    if reason := why_not():
        pytest.skip(reason)

    assert broken(cluster_drill(1, SEED)) == []
