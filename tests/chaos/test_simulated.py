"""Clocks that jump and tenants that burst, in the simulator."""

import os
import random

from tests.chaos.figures import broken
from tests.chaos.simulated import clock_drill, tenant_drill

SEED = int(os.environ.get("PENSTOCK_SEED", str(random.SystemRandom().randrange(10**6))))


def test_no_timer_is_lost_or_comes_up_twice_when_clocks_jump_by_an_hour() -> None:
    assert broken(clock_drill(4, SEED)) == []


def test_a_quiet_tenant_does_not_wait_for_the_burst_of_another() -> None:
    assert broken(tenant_drill(1, SEED)) == []
