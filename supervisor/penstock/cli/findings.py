"""What `penstock doctor` tells: one thing that was looked at, and what to do about it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: `level` is good, weak or bad; `remedy` says what to do."""

    level: str
    what: str
    remedy: str = ""
