"""Disks that somebody else fills: refused at once, nothing lost, and healed when there is room."""

import os
import random

import pytest

from tests.chaos.figures import broken
from tests.chaos.full_disks import disk_drill
from tests.chaos.mounts import why_not

SEED = int(os.environ.get("PENSTOCK_SEED", str(random.SystemRandom().randrange(10**6))))


def test_full_disks_refuse_at_once_and_heal_without_a_person() -> None:
    if reason := why_not():
        pytest.skip(reason)

    assert broken(disk_drill(1, SEED)) == []
