"""What is away is waited for, what is full is refused, what crashes for ever is given up."""

import os
import random

from tests.chaos.figures import broken
from tests.chaos.full_disk import full_drill
from tests.chaos.outages import crash_loop_drill, outage_drill

SEED = int(os.environ.get("PENSTOCK_SEED", str(random.SystemRandom().randrange(10**6))))


def test_webhooks_are_accepted_while_the_database_is_away_and_the_history_catches_up() -> None:
    assert broken(outage_drill(5, SEED)) == []


def test_full_streams_refuse_at_once_and_take_again_without_a_person() -> None:
    assert broken(full_drill(1, SEED)) == []


def test_a_program_that_crashes_without_end_is_given_up_within_its_budget() -> None:
    assert broken(crash_loop_drill(1, SEED)) == []
