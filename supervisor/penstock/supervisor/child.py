"""The port between a supervisor and what it supervises, and how a child's end is told.

A child is anything that starts, may become ready, can be asked to stop, can be made to stop, and
ends exactly once. An operating-system process and an asyncio task both fit; so does a supervisor.
"""

from dataclasses import dataclass
from typing import Protocol

from penstock.subjects.errors import PenstockError


@dataclass(frozen=True, slots=True)
class Exit:
    """How a child ended. `reason` is one line for people and logs."""

    is_normal: bool
    reason: str


class StartFailedError(PenstockError):
    """A child ended, or could not begin, before it was ready."""


class Child(Protocol):
    """One incarnation of a child. All methods are called on one event loop."""

    async def ready(self) -> None:
        """Return once it serves; raise `StartFailedError` when it ended before that.

        Waiting for a dependency is not failing: this may take as long as an outage takes.
        """

    async def ended(self) -> Exit:
        """Wait for its end; may be called any number of times, by any number of waiters."""

    def stop(self) -> None:
        """Ask it to end in order; returns at once. No effect on one that has ended."""

    def kill(self) -> None:
        """Make it end without its consent; returns at once. No effect on one that has ended."""

    def describe(self) -> dict[str, object]:
        """What a person watching the tree wants to know (`pid`, …); plain data."""
