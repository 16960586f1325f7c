"""Text between JavaScript, whose strings are any 16-bit units, and messages, which are UTF-8.

Code can cut a character that takes two units in the middle (`'😀'[0]`). `JSON.stringify` writes
such a half as an escape that no strict reader takes, and nothing here could store it: it becomes
U+FFFD, as wherever JavaScript's text leaves for the world. Only text that was refused is looked
at, so good text pays nothing.
"""

import re
from typing import Any

import msgspec

_decode = msgspec.json.Decoder().decode

_HALF = re.compile(
    r"(\\[^u]|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u(?![dD][89a-fA-F])....)|\\u[dD]..."
)
"""Escapes, one after the other: those that are whole as group 1, or half a pair."""
_UNREADABLE = re.compile("[\0\ud800-\udfff]")


def decode(text: str) -> Any:
    """The value of JSON that a realm wrote; halves of pairs become U+FFFD."""
    try:
        return _decode(text)
    except msgspec.DecodeError:
        return _decode(_HALF.sub(lambda match: match[1] or r"\ufffd", text))


def unreadable(source: str) -> tuple[str, int]:
    """What is wrong with code that the engine cannot even be given, and the line of it, from 1."""
    match = _UNREADABLE.search(source)
    assert match is not None, "only NUL and half a pair cannot be given"
    at = match.start()
    line, column = source.count("\n", 0, at) + 1, at - source.rfind("\n", 0, at)
    return f"Invalid or unexpected token U+{ord(match[0]):04X} at column {column}", line
