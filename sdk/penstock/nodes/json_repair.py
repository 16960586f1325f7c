"""Text that was meant to be JSON: a strict reading first, then two lenient ones.

`repair` does what n8n does to JSON that people (and models) type: single quotes, bare keys and
trailing commas are mended by plain replacement, which may also change text that was fine, as it
does there. `parse_literal` reads a JavaScript object literal. Neither evaluates anything.
"""

import re
from typing import Any

import msgspec

_decode = msgspec.json.Decoder().decode

_KEY = re.compile(r"""['"]?([a-zA-Z0-9_]+)['"]?:""")
_TRAILING_COMMA = re.compile(r",\s*([\]}])")
_LITERAL = re.compile(
    r"""(?P<space>\s+)|(?P<mark>[{}\[\]:,])|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_$][\w$]*)""",
    re.DOTALL,
)
_NAMES = {"true": True, "false": False, "null": None, "undefined": None}
_DEPTH_MAX = 100


class NotJsonError(ValueError):
    """The text is not JSON, not even leniently."""


def parse(text: str) -> Any:
    """Strict JSON."""
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise NotJsonError(str(error)) from error


def parse_repaired(text: str) -> Any:
    """JSON, mended when it has to be."""
    try:
        return parse(text)
    except NotJsonError:
        return parse(repair(text))


def repair(text: str) -> str:
    """The text with single quotes, bare keys and trailing commas mended."""
    text = _KEY.sub(r'"\1":', text.replace("'", '"'))
    return _TRAILING_COMMA.sub(r"\1", text).rstrip(",")


def parse_literal(text: str) -> Any:
    """JSON, or a JavaScript object literal made of literals only."""
    try:
        return parse(text)
    except NotJsonError:
        return _Literal(text).read()


class _Literal:
    """A reader of JavaScript literals: objects, arrays, texts, numbers, true, false, null."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = list(_tokens(text))
        self._next = 0

    def read(self) -> Any:
        value = self._value(0)
        if self._next != len(self._tokens):
            raise NotJsonError("something follows the value")
        return value

    def _take(self) -> tuple[str, str]:
        if self._next >= len(self._tokens):
            raise NotJsonError("the text ends too early")
        self._next += 1
        return self._tokens[self._next - 1]

    def _skip(self, mark: str) -> bool:
        if self._next < len(self._tokens) and self._tokens[self._next] == ("mark", mark):
            self._next += 1
            return True
        return False

    def _value(self, depth: int) -> Any:
        kind, text = self._take()
        if kind == "text":
            return _unquote(text)
        if kind == "number":
            return parse(text) if text[-1] != "." and text[0] != "." else float(text)
        if kind == "name" and text in _NAMES:
            return _NAMES[text]
        if depth > _DEPTH_MAX or text not in "{[":
            raise NotJsonError(f"unexpected {text!r}")
        return self._object(depth + 1) if text == "{" else self._list(depth + 1)

    def _object(self, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while not self._skip("}"):
            kind, text = self._take()
            if kind == "mark" or not self._skip(":"):
                raise NotJsonError(f"unexpected {text!r}")
            result[_unquote(text) if kind == "text" else text] = self._value(depth)
            if not self._skip(","):
                self._close("}")
                break
        return result

    def _list(self, depth: int) -> list[Any]:
        result: list[Any] = []
        while not self._skip("]"):
            result.append(self._value(depth))
            if not self._skip(","):
                self._close("]")
                break
        return result

    def _close(self, mark: str) -> None:
        if not self._skip(mark):
            raise NotJsonError(f"{mark!r} is missing")


def _tokens(text: str) -> Any:
    position = 0
    while position < len(text):
        found = _LITERAL.match(text, position)
        if found is None:
            raise NotJsonError(f"unexpected {text[position]!r}")
        if found.lastgroup != "space":
            yield found.lastgroup, found.group()
        position = found.end()


def _unquote(text: str) -> str:
    if text[0] == '"':
        return str(parse(text))
    inner = text[1:-1].replace("\\'", "'")
    return str(parse('"' + re.sub(r'(?<!\\)"', r"\\\"", inner) + '"'))
