"""JSON bodies: what JavaScript would read in them, or a 400 that says what is wrong.

Bodies are UTF-8 unless another charset is declared. What our decoder refuses is looked at again
as `JSON.parse` does it, since n8n's workflows are used to that: half of a surrogate pair passes
and becomes U+FFFD, as no message can carry it; a number beyond what a float holds becomes `None`,
which is what JavaScript would pass on of its infinity; a byte order mark is skipped. That way is
slower, and nobody goes it with plain JSON.
"""

import codecs
import json
import math
import re
from typing import Any

import msgspec

from penstock.gateway.problems import ProblemError, bad_body

DEPTH_MAX = 200

_CODECS = re.compile(r"utf-(8|16|32)(-[bl]e|-sig)?|ascii|iso8859-[0-9]+|cp125[0-9]", re.ASCII)
"""Those of Python's that may be asked for. Some others take a long time over a short body."""
_SURROGATE = re.compile("[\ud800-\udfff]")

_decode_json = msgspec.json.Decoder().decode


def parse_json(raw: bytes) -> Any:
    """JSON, or a 400 that names the place. Deep nesting is refused here, not in the engine."""
    try:
        try:
            value = _decode_json(raw)
        except msgspec.DecodeError as error:
            value = _as_javascript(raw, error)
    except UnicodeDecodeError as error:
        raise bad_body(f"the JSON is not UTF-8: {error.reason}") from error
    except RecursionError as error:
        raise bad_body(f"the JSON is nested deeper than {DEPTH_MAX} levels") from error
    if raw.count(b"{") + raw.count(b"[") > DEPTH_MAX and _depth(value) > DEPTH_MAX:
        raise bad_body(f"the JSON is nested deeper than {DEPTH_MAX} levels")
    return value


def in_utf8(content_type: str, raw: bytes) -> bytes:
    """JSON in UTF-8, whatever charset is declared: 415 for one that is not known here, 400 when
    `raw` is not in it."""
    charset = charset_of(content_type)
    if charset.lower() in {"utf-8", "utf8"}:
        return raw
    try:
        codec = codecs.lookup(charset).name
    except (LookupError, ValueError):
        codec = ""
    if not _CODECS.fullmatch(codec):
        raise ProblemError(
            415,
            f"JSON in the charset {charset[:80]!r} is not understood",
            remedy="send it in UTF-8",
        )
    try:
        return raw.decode(codec).encode()
    except UnicodeError as error:
        raise bad_body(f"the JSON is not in the charset {charset[:80]!r}") from error


def charset_of(content_type: str) -> str:
    """The charset that a content type declares; utf-8 when it is silent."""
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"') or "utf-8"
    return "utf-8"


def _as_javascript(raw: bytes, refused: msgspec.DecodeError) -> Any:
    try:
        text = raw.decode("utf-8-sig")
        value = json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_refuse)
        return _whole(value) if "\\u" in text else value
    except UnicodeDecodeError:
        raise
    except ValueError:
        raise bad_body(f"malformed JSON: {refused}") from refused


def _whole(value: Any) -> Any:
    """`value` with what stands for half of a pair replaced in all its texts."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_whole(key): _whole(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_whole(child) for child in value]
    return value


def _integer(text: str) -> int | float | None:
    number = int(text) if len(text) <= 20 else None
    return number if number is not None and -(2**63) <= number < 2**64 else _float(text)


def _float(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level:
        depth += 1
        level = [
            child
            for one in level
            if isinstance(one, dict | list)
            for child in (one.values() if isinstance(one, dict) else one)
        ]
    return depth
