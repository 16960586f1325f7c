"""Messages that nobody should send are refused or set aside, and cost nobody else anything."""

import os
import random

from tests.chaos.figures import broken
from tests.chaos.messages import message_drill

SEED = int(os.environ.get("PENSTOCK_SEED", str(random.SystemRandom().randrange(10**6))))


def test_hostile_messages_on_every_subject_end_nobody_and_lose_nothing() -> None:
    assert broken(message_drill(2_000, SEED)) == []
