"""Request bodies that were compressed for their way: `Content-Encoding` gzip or deflate.

What comes out is bounded, not what goes in: a few kilobytes can stand for gigabytes. Inflating is
work for a thread, since the loop has others to answer meanwhile.
"""

import asyncio
import zlib

from penstock.gateway.problems import ProblemError

ACCEPTED = "gzip, deflate"
_GZIP = 16 + zlib.MAX_WBITS
_BARE = -zlib.MAX_WBITS
_MEMBERS_MAX = 32  # what is left is copied for each


async def decoded(raw: bytes, encoding: str, bytes_max: int) -> bytes:
    """The body that `raw` stands for: 413 beyond `bytes_max`, 415 for an encoding that is not
    known here, 400 when `raw` is not what it says."""
    kind = encoding.strip().lower()
    if kind in ("", "identity") or not raw:
        return raw
    if kind not in ("gzip", "x-gzip", "deflate"):
        raise ProblemError(
            415,
            f"bodies in the encoding {kind[:80]!r} are not understood",
            remedy=f"send the body as it is, or with one of {ACCEPTED}",
            headers=[(b"accept-encoding", ACCEPTED.encode())],
        )
    try:
        return await asyncio.to_thread(_inflated, raw, is_gzip=kind != "deflate", most=bytes_max)
    except zlib.error as error:
        raise ProblemError(
            400,
            f"the body is not what its content-encoding {kind!r} says",
            remedy="send the body whole, and encoded as its headers say",
        ) from error


def _inflated(raw: bytes, *, is_gzip: bool, most: int) -> bytes:
    parts: list[bytes] = []
    room = most
    for _ in range(_MEMBERS_MAX):
        # What is called deflate should be zlib's format; some send bare deflate, and servers
        # understand both.
        wbits = _GZIP if is_gzip else zlib.MAX_WBITS if _is_zlib(raw) else _BARE
        inflating = zlib.decompressobj(wbits)
        part = inflating.decompress(raw, room + 1)
        room -= len(part)
        if room < 0:
            raise ProblemError(
                413,
                f"the body is larger than {most:,} bytes when it is inflated",
                remedy="send less, or send a link to the data",
            )
        if not inflating.eof:
            raise zlib.error("the end is missing")
        parts.append(part)
        raw = inflating.unused_data if is_gzip else b""
        if not raw:
            return b"".join(parts)
    raise zlib.error(f"more than {_MEMBERS_MAX} members")


def _is_zlib(raw: bytes) -> bool:
    return raw[0] & 0x0F == zlib.DEFLATED and int.from_bytes(raw[:2], "big") % 31 == 0
