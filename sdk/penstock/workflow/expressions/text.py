"""Strings as JavaScript counts them: in UTF-16 units.

A Python string counts code points. The two differ only for characters beyond the basic plane
(emoji, mostly), so every function asks for those first and takes the fast road without them.
Strings cut inside of a pair hold lone surrogates; `whole` joins pairs again.
"""

import re
from typing import Any

from penstock.workflow.expressions.values import UNDEFINED

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def has_astral(text: str) -> bool:
    """Whether UTF-16 units and code points of `text` differ."""
    return not text.isascii() and _ASTRAL.search(text) is not None


def units(text: str) -> str:
    """`text` with one character per UTF-16 unit (pairs become two surrogates)."""
    if not has_astral(text):
        return text
    raw = text.encode("utf-16-le", "surrogatepass")
    return "".join(map(chr, memoryview(raw).cast("H")))


def whole(text: str) -> str:
    """The reverse of `units`: pairs joined; lone surrogates stay."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def storable(text: str) -> str:
    """`text` fit for UTF-8: pairs joined, lone surrogates replaced."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def text_length(text: str) -> int:
    """`text.length` in UTF-16 units."""
    return len(text) if text.isascii() else len(text) + len(_ASTRAL.findall(text))


def char_at(text: str, index: int) -> Any:
    """`text[index]`, undefined beyond its end."""
    text = units(text)
    return text[index] if 0 <= index < len(text) else UNDEFINED
