"""Reading single messages, such as the last of a subject, from whoever leads the stream.

JetStream's direct reads are answered by any replica, and one that lags would give an older message
as the last one: a fenced owner would pass for the owner, and a stored plan for a missing one. So
reads ask the leader. It answers in JSON, which costs a third more bytes; nothing that is read so
is on the path of an execution.
"""

from base64 import b64decode
from typing import Any

import msgspec

from penstock.subjects.errors import BusError
from penstock.subjects.nats_connection import Connection

_NO_MESSAGE = 10037

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Stored(msgspec.Struct, frozen=True):
    """A message as the stream holds it. `header` is a header block, empty without one."""

    sequence: int
    header: bytes
    payload: bytes


async def last_stored(connection: Connection, stream: str, subject: str) -> Stored | None:
    """The last message of exactly this subject; None when there is none."""
    return await _stored(connection, stream, {"last_by_subj": subject})


async def stored_at(connection: Connection, stream: str, sequence: int) -> Stored | None:
    """The message of this sequence; None when the stream does not hold it any more."""
    return await _stored(connection, stream, {"seq": sequence})


async def _stored(connection: Connection, stream: str, which: dict[str, Any]) -> Stored | None:
    api = f"$JS.API.STREAM.MSG.GET.{stream}"
    header, payload = await connection.request(api, _encode(which))
    if header:
        raise BusError(f"{stream}: nobody leads it now")
    answer: dict[str, Any] = _decode(payload)
    if "error" in answer:
        if answer["error"].get("err_code") == _NO_MESSAGE:
            return None
        raise BusError(f"{stream}: {answer['error'].get('description', 'cannot be read now')}")
    message = answer["message"]
    return Stored(
        message["seq"], b64decode(message.get("hdrs", "")), b64decode(message.get("data", ""))
    )
