"""The codec: how messages become bytes, and which bytes are let in.

A frame is one version byte and a msgpack body. The version says how to read the body; fields that
are only appended need no new one. Size is checked before anything is decoded, so that a hostile
or broken frame costs nothing; decoding validates against the type.

Build one `Codec` per message type, at import time: the encoder and decoder behind it are reused.
A codec keeps no state between calls, but its encoder's buffer must not be shared by threads.
"""

from typing import Any, Generic, TypeVar

import msgspec

from penstock.subjects.errors import PenstockError

T = TypeVar("T")

MESSAGE_BYTES_MAX = 32 * 1024 * 1024
"""The largest frame. The broker's `max_payload` must leave room above it for headers."""

VERSION = 1
_PREFIX = bytes([VERSION])


class CodecError(PenstockError):
    """A frame that may not or cannot be decoded, or a message too large to send."""


class NewerVersionError(CodecError):
    """A frame of a later version: sound, but for a program that is newer than this one."""


class Codec(Generic[T]):
    """Encodes and decodes messages of one type."""

    __slots__ = ("_decoder", "_encoder", "_name")

    def __init__(self, kind: Any) -> None:
        self._name = _name_of(kind)
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(kind)

    def encode(self, message: T) -> bytes:
        """The frame of `message`; `CodecError` when it is larger than a frame may be."""
        buffer = bytearray(_PREFIX)
        self._encoder.encode_into(message, buffer, 1)
        if len(buffer) > MESSAGE_BYTES_MAX:
            raise CodecError(
                f"a {self._name} of {len(buffer)} bytes exceeds {MESSAGE_BYTES_MAX}",
                remedy="store large items in the object store and send references",
            )
        return bytes(buffer)

    def decode(self, frame: bytes) -> T:
        """The message in `frame`; `CodecError` says what is wrong with it."""
        if len(frame) > MESSAGE_BYTES_MAX:
            raise CodecError(f"a frame of {len(frame)} bytes exceeds {MESSAGE_BYTES_MAX}")
        if frame[:1] != _PREFIX:
            found = frame[0] if frame else "none"
            kind = NewerVersionError if frame[:1] > _PREFIX else CodecError
            raise kind(
                f"{self._name}: frame version {found}, this program reads {VERSION}",
                remedy="upgrade the older of the two programs",
            )
        try:
            return self._decoder.decode(memoryview(frame)[1:])
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise CodecError(f"malformed {self._name}: {error}") from error


def _name_of(kind: Any) -> str:
    name: str = getattr(kind, "__name__", str(kind))
    inner = [_name_of(argument) for argument in getattr(kind, "__args__", ())]
    return f"{name} of {' or '.join(inner)}" if inner else name
