"""Frames between a host and its worker: four bytes of length, then msgpack.

The length is checked before a byte of the body is kept, so a hostile worker cannot make the host
allocate; the body is decoded into a Struct, never unpickled, so it cannot make the host run
anything. A frame that does not fit its type is a fault of the channel, and the worker is lost.
"""

import struct

import msgspec

from penstock.subjects.messages import Outcome, Step

RESULT_BYTES_MAX = 32 << 20
_LENGTH = struct.Struct("<I")
HEADER = _LENGTH.size


class Setup(msgspec.Struct, array_like=True, tag="setup", gc=False):
    """The first frame to a worker: the document that all its steps belong to, as JSON text, and
    the time zone that holds where the document names none."""

    plan: str
    document: bytes
    timezone: str


class Work(msgspec.Struct, array_like=True, tag="work", gc=False):
    """One step. `ticket` is repeated in the answer: one that does not fit is a desync."""

    ticket: int
    step: Step


class Ready(msgspec.Struct, array_like=True, tag="ready", gc=False):
    """The worker's first frame, sent when every layer of isolation is in place."""

    layers: list[str]


class Done(msgspec.Struct, array_like=True, tag="done", gc=False):
    """The outcome of the step with this ticket."""

    ticket: int
    outcome: Outcome
    took_us: int


class Lost(msgspec.Struct, array_like=True, tag="lost", gc=False):
    """The worker cannot go on: `reason` is `memory` or what failed while it was set up."""

    reason: str


ToWorker = Setup | Work
FromWorker = Ready | Done | Lost


class FrameError(Exception):
    """What came is not a frame, or longer than a frame may be."""


def pack(body: bytes) -> bytes:
    """`body` as a frame."""
    return _LENGTH.pack(len(body)) + body


class FrameBuffer:
    """Puts frames together from whatever pieces arrive."""

    __slots__ = ("_held", "_limit")

    def __init__(self, limit: int) -> None:
        self._held = bytearray()
        self._limit = limit

    def feed(self, piece: bytes) -> list[bytes]:
        """The bodies that `piece` completes; `FrameError` when one would be over the limit."""
        held = self._held
        held += piece
        bodies = []
        at = 0
        while len(held) - at >= HEADER:
            (size,) = _LENGTH.unpack_from(held, at)
            if size > self._limit:
                raise FrameError(f"a frame of {size} bytes is over the limit of {self._limit}")
            if len(held) - at - HEADER < size:
                break
            bodies.append(bytes(held[at + HEADER : at + HEADER + size]))
            at += HEADER + size
        del held[:at]
        return bodies
