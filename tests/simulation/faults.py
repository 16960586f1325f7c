"""What can go wrong at any moment, beside the mishaps that somebody has to do."""

from dataclasses import dataclass
from random import Random

from penstock.subjects.memory_broker import Faults


@dataclass(slots=True)
class SimFaults(Faults):
    """Faults of the broker, and of the history's stores.

    `late_send`: what a program appends gets out up to `late_s` later, or never if it dies before.
    `late_answer`: a statement or a write takes up to `late_s`. `failed_statement`: it fails, its
    transaction with it. `lost_commit`: stored, but the client hears of a lost connection.
    `failed_write`: half of a body is written.
    """

    late_send: float = 0.0
    late_answer: float = 0.0
    failed_statement: float = 0.0
    lost_commit: float = 0.0
    failed_write: float = 0.0

    def begin(self, random: Random) -> None:
        """Draw how bad things are: some seeds know no fault of a kind, others many."""
        self.lost_ack = random.choice((0.0, 0.02, 0.1))
        self.refused = random.choice((0.0, 0.02, 0.1))
        self.late_ack = random.choice((0.0, 0.1, 0.5))
        self.delayed = random.choice((0.0, 0.1, 0.5))
        self.duplicate_work = random.choice((0.0, 0.1))
        self.late_s = random.choice((0.05, 0.5))
        self.late_send = random.choice((0.0, 0.1, 0.3))
        self.late_answer = random.choice((0.0, 0.1, 0.5))
        self.failed_statement = random.choice((0.0, 0.02))
        self.lost_commit = random.choice((0.0, 0.1))
        self.failed_write = random.choice((0.0, 0.05))

    def end(self) -> None:
        """No more faults."""
        self.lost_ack = self.refused = self.late_ack = self.delayed = self.duplicate_work = 0.0
        self.late_send = self.late_answer = self.failed_statement = self.lost_commit = (
            self.failed_write
        ) = 0.0
        self.full_streams.clear()
