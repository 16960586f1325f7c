"""Dead letters: messages that nobody can handle, with their reason and origin, in the DEAD stream.

One form for all programs, on `dead.<region>.<reason>`, so that a person finds out what happened
from the letter alone, and can send its payload again once the fault behind it is repaired. They
are appended under a message id made of their origin, so that whoever meets the same message again
does not store it twice.
"""

import asyncio
import zlib
from collections.abc import Callable

import msgspec

from penstock.subjects import names
from penstock.subjects.bus import Ack, Bus, Message
from penstock.subjects.codec import MESSAGE_BYTES_MAX, Codec

UNREADABLE = "undecodable"
"""The reason of what is not a message of its subject."""
POISON = "poison"
"""The reason of a message whose handling failed twice."""

RETRY_S = 0.5
DETAIL_LENGTH_MAX = 2_000
PAYLOAD_BYTES_MAX = MESSAGE_BYTES_MAX - (64 << 10)
"""A letter must fit into a frame."""


class DeadLetter(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A quarantined message: what it was, where it stood, and why nobody could handle it: the first
    line of `detail` is the reason, what follows is for whoever repairs the fault."""

    reason: str
    detail: str
    subject: str
    sequence: int
    payload: bytes
    execution: str = ""


dead_letter: Codec[DeadLetter] = Codec(DeadLetter)


def letter_of(message: Message, reason: str, detail: str) -> DeadLetter:
    """The dead letter that a message of a stream becomes."""
    detail, payload = _cut(detail, message.payload)
    return DeadLetter(reason, detail, message.subject, message.sequence, payload)


def poison_letter(execution: str, kind: str, payload: bytes, detail: str) -> DeadLetter:
    """The dead letter of a message of `kind` that `execution` could not handle."""
    detail, payload = _cut(detail, payload)
    return DeadLetter(POISON, detail, kind, 0, payload, execution)


def _cut(detail: str, payload: bytes) -> tuple[str, bytes]:
    """Both as a letter can hold them: whoever buries has no other place to put them."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        detail = f"(cut off; it has {len(payload)} bytes) {detail}"
        payload = payload[:PAYLOAD_BYTES_MAX]
    # Half of a surrogate pair, from somebody's data, is no text that can be encoded.
    detail = detail[:DETAIL_LENGTH_MAX].encode(errors="replace").decode()
    return detail, payload


def bury(bus: Bus, region: str, letter: DeadLetter, stored: Callable[[], None]) -> None:
    """Append a letter, again until it is stored; then call `stored`."""
    frame = dead_letter.encode(letter)
    subject = names.dead(region, letter.reason)
    message_id = ""
    if letter.sequence:
        # A stream in memory begins anew with its broker, so its sequences come again.
        message_id = f"dead-{letter.subject}-{letter.sequence}-{zlib.crc32(letter.payload):08x}"

    def send() -> None:
        bus.append(subject, frame, on_ack, message_id=message_id)

    def on_ack(result: Ack | Exception) -> None:
        if isinstance(result, Ack):
            stored()
        else:
            asyncio.get_running_loop().call_later(RETRY_S, send)

    send()
