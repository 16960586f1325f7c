"""Quarantine: what an owner cannot handle goes to DEAD with its reason, and work goes on."""

import logging
from collections.abc import Callable

from penstock.subjects.bus import Bus, Message
from penstock.subjects.dead_letters import DeadLetter, bury, letter_of, poison_letter

log = logging.getLogger("penstock.actors")


class Quarantine:
    """Appends dead letters until they are stored."""

    def __init__(self, bus: Bus, region: str) -> None:
        self.count = 0
        self._bus = bus
        self._region = region

    def put(self, reason: str, message: Message, detail: str, stored: Callable[[], None]) -> None:
        """Quarantine a message of a stream; `stored` is called when it is in DEAD."""
        self._append(letter_of(message, reason, detail), stored)

    def put_poison(self, execution: str, kind: str, payload: bytes, detail: str) -> None:
        """Quarantine a message whose handling failed twice."""
        self._append(poison_letter(execution, kind, payload, detail), lambda: None)

    def _append(self, letter: DeadLetter, stored: Callable[[], None]) -> None:
        log.error("to DEAD: %s, %s %s", letter.reason, letter.subject, letter.detail)
        self.count += 1
        bury(self._bus, self._region, letter, stored)
