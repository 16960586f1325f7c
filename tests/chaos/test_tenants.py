"""One tenant bursts on a live installation; the others are none the wiser."""

import os
import random

from tests.chaos.figures import broken
from tests.chaos.tenants import burst_drill

SEED = int(os.environ.get("PENSTOCK_SEED", str(random.SystemRandom().randrange(10**6))))


def test_what_a_tenant_sends_beyond_its_limits_is_shed_and_every_queue_stays_bounded() -> None:
    assert broken(burst_drill(4, SEED, is_timed=False)) == []
