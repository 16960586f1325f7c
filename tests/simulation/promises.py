"""A share of the seeds that every test run plays, and what must have happened in it.

A fault that never strikes and a situation that never comes about prove nothing, so each share must
have had every one of them. The seeds stand in two files, because a file is what the test run gives
to one of its processes.
"""

from collections import Counter

from tests.simulation.mishaps import STREAMS
from tests.simulation.seeds import play_one

SEEDS = 500
PER_TEST = 50

FAULTS = (
    "lost_ack",
    "refused",
    "late_ack",
    "delayed",
    "duplicate_work",
    "late_send",
    "late_answer",
    "failed_statement",
    "lost_commit",
    "failed_write",
    "full",
    "stalled",
    *(f"{stream} full" for stream in STREAMS),
    *(f"leader of {stream} stalled" for stream in STREAMS),
    "sent straight and lost",
    "sent straight twice",
    "sent again",
    "host killed",
    "host killed between append and acknowledgement",
    "host frozen",
    "host cut off",
    "host drained",
    "sandbox host killed",
    "broker restarted",
    "clock jumped",
    "limits changed",
    "projector killed",
    "projector to be killed at a statement",
    "projector frozen",
    "projector added",
    "database away",
)
SITUATIONS = (
    "append found stored",
    "append found absent",
    "append found fenced",
    "owner fenced",
    "taken over from a snapshot",
    "taken over with a step outstanding",
    "taken over with a child running",
    "taken over after a schedule fired",
    "schedule due",
    "timer came up",
    "void timer",
    "execution held",
    "execution put away",
    "execution woken",
    "execution changed while a snapshot is written",
    "step held",
    "step run again",
    "request met again",
    "stored late",
    "result that came too late",
    "journal trimmed",
    "snapshots",
    "two projectors met",
)


def broken_and_missing(first: int, count: int = PER_TEST) -> tuple[list[str], list[str]]:
    """What these seeds broke, and which faults and situations they never came to."""
    counts: Counter[str] = Counter()
    broken = []
    for seed in range(first, first + count):
        played = play_one(seed)
        counts.update(played.counts)
        if played.broken:
            broken.append(played.broken)
    return broken, [wanted for wanted in (*FAULTS, *SITUATIONS) if not counts[wanted]]
