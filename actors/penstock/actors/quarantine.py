"""Quarantine: what cannot be handled goes to DEAD with its reason and origin, and work goes on.

A dead letter can be read by a person and sent again. It is appended with a message id made of its
origin, so that a new owner who meets the same message again does not store it twice.
"""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from penstock.subjects import names
from penstock.subjects.bus import Ack, Bus, Message
from penstock.subjects.codec import Codec

RETRY_S = 0.5
log = logging.getLogger("penstock.actors")


class DeadLetter(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A quarantined message: what it was, where it stood, and why nobody could handle it."""

    reason: str
    detail: str
    subject: str
    sequence: int
    payload: bytes
    execution: str = ""


dead_letter: Codec[DeadLetter] = Codec(DeadLetter)


class Quarantine:
    """Appends dead letters until they are stored."""

    def __init__(self, bus: Bus, region: str) -> None:
        self.count = 0
        self._bus = bus
        self._region = region

    def put(self, reason: str, message: Message, detail: str, stored: Callable[[], None]) -> None:
        """Quarantine a message of a stream; `stored` is called when it is in DEAD."""
        letter = DeadLetter(
            reason, detail[:2000], message.subject, message.sequence, message.payload
        )
        self._append(letter, f"dead-{message.subject}-{message.sequence}", stored)

    def put_poison(self, execution: str, kind: str, payload: bytes, detail: str) -> None:
        """Quarantine a message whose handling failed twice."""
        letter = DeadLetter("poison", detail[:2000], kind, 0, payload, execution)
        self._append(letter, "", lambda: None)

    def _append(self, letter: DeadLetter, message_id: str, stored: Callable[[], None]) -> None:
        log.error("to DEAD: %s, %s %s", letter.reason, letter.subject, letter.detail)
        frame = dead_letter.encode(letter)
        subject = names.dead(self._region, letter.reason)
        self.count += 1

        def send() -> None:
            self._bus.append(subject, frame, on_ack, message_id=message_id)

        def on_ack(result: Ack | Exception) -> None:
            if isinstance(result, Ack):
                stored()
            else:
                asyncio.get_running_loop().call_later(RETRY_S, send)

        send()
