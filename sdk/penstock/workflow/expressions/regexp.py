"""Regular expressions: JavaScript syntax on the `regex` engine, with a bound in time.

`re` cannot be interrupted, so one hostile pattern would stop a whole partition; `regex` takes a
time-out, and it knows look-behind of any length and `\\p{...}` as JavaScript does. All matches of
one evaluation share half a second. What differs in meaning (`$`, `.`, `\\s`, `\\w`, ...) is spelled
out in the translated pattern.
"""

import re as _re
import time
from functools import lru_cache
from typing import Any

import regex

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import STRINGS, to_integer, to_string
from penstock.workflow.expressions.errors import (
    BudgetError,
    JsThrow,
    NeedsEngineError,
    throw_syntax,
)
from penstock.workflow.expressions.members import METHODS, PROPERTIES, argument
from penstock.workflow.expressions.text import units, whole
from penstock.workflow.expressions.values import UNDEFINED

_LINE = r"\n\r\u2028\u2029"
_WORD = "A-Za-z0-9_"
_SPACE = r" \t\n\v\f\r\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_CLASSES = {
    "d": "0-9",
    "w": _WORD,
    "s": _SPACE,
}
_BOUNDARY = f"(?:(?<=[{_WORD}])(?![{_WORD}])|(?<![{_WORD}])(?=[{_WORD}]))"
_NO_BOUNDARY = f"(?:(?<=[{_WORD}])(?=[{_WORD}])|(?<![{_WORD}])(?![{_WORD}]))"
_TOO_OFTEN = _re.compile(r"\d*,?\d{4,}")
_PATTERN_MAX = 10_000


class _Translator:
    """Rewrites one JavaScript pattern; a position and the text, nothing else."""

    def __init__(self, source: str, flags: str) -> None:
        self.source = source
        self.flags = flags
        self.position = 0
        self.groups = len(_re.findall(r"(?<!\\)\((?!\?)|\(\?<(?![=!])", source))

    def translate(self) -> str:
        parts: list[str] = []
        while self.position < len(self.source):
            parts.append(self._next())
        return "".join(parts)

    def _take(self, size: int) -> str:
        text = self.source[self.position : self.position + size]
        self.position += size
        return text

    def _next(self) -> str:
        char = self._take(1)
        if char == "\\":
            return self._escape(in_class=False)
        if char == "[":
            return self._class()
        if char == ".":
            return r"(?s:.)" if "s" in self.flags else f"[^{_LINE}]"
        if char == "^":
            return f"(?:^|(?<=[{_LINE}]))" if "m" in self.flags else r"\A"
        if char == "$":
            return f"(?=[{_LINE}]|\\Z)" if "m" in self.flags else r"\Z"
        if char == "(" and self.source.startswith("?<", self.position):
            return self._named_group()
        if char == "{" and _TOO_OFTEN.match(self.source, self.position):
            raise NeedsEngineError("large counts in a pattern")
        if char == "{" and not _re.match(r"\d+(,\d*)?\}", self.source[self.position :]):
            return r"\{"
        if char in "*+?}" and self.source.startswith("+", self.position):
            return throw_syntax("Nothing to repeat")  # possessive in `regex`, an error here
        return r"\}" if char == "}" and not self._closes_count() else char

    def _closes_count(self) -> bool:
        return _re.search(r"\{\d+(,\d*)?\}\Z", self.source[: self.position]) is not None

    def _named_group(self) -> str:
        if self.source[self.position + 2 : self.position + 3] in ("=", "!"):
            return "(" + self._take(3)
        self._take(1)
        return "(?P"

    def _escape(self, *, in_class: bool) -> str:
        char = self._take(1)
        if char in _CLASSES:
            return _CLASSES[char] if in_class else f"[{_CLASSES[char]}]"
        if char.lower() in _CLASSES:
            if in_class:
                raise NeedsEngineError("negated class in a class")
            return f"[^{_CLASSES[char.lower()]}]"
        if char in ("b", "B") and not in_class:
            return _BOUNDARY if char == "b" else _NO_BOUNDARY
        if char == "b":
            return r"\x08"
        if char.isdigit():
            return self._number(char, in_class=in_class)
        if char == "k" and self.source.startswith("<", self.position):
            end = self.source.index(">", self.position)
            return f"(?P={self._take(end + 1 - self.position)[1:-1]})"
        return self._character(char)

    def _character(self, char: str) -> str:
        if char in "nrtvf":
            return "\\" + char
        if char == "c":
            return f"\\x{ord(self._take(1)) % 32:02x}"
        if char == "x":
            found = _re.match(r"[0-9a-fA-F]{2}", self.source[self.position :])
            return _re.escape(chr(int(self._take(2), 16))) if found else "x"
        if char == "u":
            found = _re.match(r"\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{4})", self.source[self.position :])
            if not found:
                return "u"
            self._take(len(found.group()))
            return _literal(int(found.group(1) or found.group(2), 16))
        if char in "pP" and ("u" in self.flags or "v" in self.flags):
            end = self.source.index("}", self.position)
            return f"\\{char}{self._take(end + 1 - self.position)}"
        return _re.escape(char)

    def _number(self, char: str, *, in_class: bool) -> str:
        digits = char
        while self.source[self.position : self.position + 1].isdigit():
            digits += self._take(1)
        if digits[0] == "0" or in_class:
            return f"\\x{int(digits, 8) if set(digits) <= set('01234567') else 0:02x}"
        if int(digits) > self.groups:
            return _re.escape(chr(int(digits, 8))) if set(digits) <= set("01234567") else digits
        return f"(?:\\{digits})"

    def _class(self) -> str:
        negated = self.source.startswith("^", self.position)
        if negated:
            self._take(1)
        if self.source.startswith("]", self.position):
            self._take(1)
            return r"(?s:.)" if negated else r"(?!)"
        parts: list[str] = []
        outside: list[str] = []
        while self.position < len(self.source):
            char = self._take(1)
            if char == "]":
                return _class_text(parts, outside, negated=negated)
            if char == "\\" and self.source[self.position : self.position + 1] in ("D", "W", "S"):
                outside.append(f"[^{_CLASSES[self._take(1).lower()]}]")
            elif char == "\\":
                parts.append(self._escape(in_class=True))
            else:
                parts.append("\\" + char if char in "[&~|^" else char)
        return throw_syntax("Unterminated character class")


def _class_text(parts: list[str], outside: list[str], *, negated: bool) -> str:
    inside = f"[{'^' if negated else ''}{''.join(parts)}]"
    if not outside:
        return inside
    if negated:
        raise NeedsEngineError("negated class in a negated class")
    return f"(?:{'|'.join(([inside] if parts else []) + outside)})"


def _literal(code: int) -> str:
    if 0xD800 <= code <= 0xDFFF:
        raise NeedsEngineError("surrogates in a pattern")
    return _re.escape(chr(code))


@lru_cache(maxsize=512)
def compile_pattern(source: str, flags: str) -> "regex.Pattern[str]":
    """The engine's pattern for a JavaScript one."""
    if len(source) > _PATTERN_MAX or set(flags) - set("dgimsuvy"):
        throw_syntax("Invalid regular expression")
    options = regex.V0 | (regex.IGNORECASE if "i" in flags else 0)
    try:
        return regex.compile(_Translator(source, flags).translate(), options)
    except (regex.error, ValueError, IndexError, OverflowError) as error:
        raise JsThrow(UNDEFINED) from error


class RegExp:
    """A JavaScript RegExp."""

    __slots__ = ("flags", "last_index", "pattern", "source")

    def __init__(self, source: str, flags: str) -> None:
        self.source = source
        self.flags = "".join(sorted(flags))
        self.pattern = compile_pattern(source, self.flags)
        self.last_index = 0

    @property
    def is_global(self) -> bool:
        return "g" in self.flags

    def fresh(self) -> "RegExp":
        """A copy with `lastIndex` 0: a literal makes a new object each time it is met."""
        copy = RegExp.__new__(RegExp)
        copy.source, copy.flags, copy.pattern = self.source, self.flags, self.pattern
        copy.last_index = 0
        return copy

    def search(self, context: Context, text: str, start: int = 0) -> "regex.Match[str] | None":
        """The first match at or after `start` (with flag y: at `start`)."""
        if start > len(text):
            return None
        find = self.pattern.match if "y" in self.flags else self.pattern.search
        # The clock bounds a hostile pattern; it never changes what a match gives.
        began = time.perf_counter()
        try:
            match = find(text, start, timeout=max(context.regex_ms, 1.0) / 1000)
        except TimeoutError as error:
            raise BudgetError("A regular expression takes too long: it was stopped") from error
        finally:
            context.regex_ms -= (time.perf_counter() - began) * 1000
        context.charge((match.end() if match else len(text)) - start)
        return match

    def matches(self, context: Context, text: str) -> "list[regex.Match[str]]":
        """All matches, for a global pattern; at most the first otherwise."""
        found: list[regex.Match[str]] = []
        position = 0
        while True:
            match = self.search(context, text, position)
            if match is None:
                return found
            found.append(match)
            context.step()
            if not self.is_global:
                return found
            position = match.end() + (match.end() == match.start())


def match_array(match: "regex.Match[str]", text: str) -> list[Any]:
    """The array that `exec` gives: the match and its groups."""
    groups = match.groups()
    return MatchArray(
        [match.group(), *(UNDEFINED if group is None else group for group in groups)],
        len(units(text[: match.start()])),
        text,
        {name: UNDEFINED if group is None else group for name, group in match.groupdict().items()},
    )


class MatchArray(list[Any]):
    """The array of a match, which also has `index`, `input` and `groups`."""

    __slots__ = ("groups", "input", "position")

    def __init__(self, values: list[Any], index: int, text: str, groups: dict[str, Any]) -> None:
        super().__init__(values)
        self.position = index
        self.input = text
        self.groups = groups


def _exec(context: Context, this: RegExp, arguments: list[Any]) -> Any:
    text = whole(to_string(argument(arguments, 0)))
    sticky = this.is_global or "y" in this.flags
    match = this.search(context, text, this.last_index if sticky else 0)
    if sticky:
        this.last_index = match.end() if match else 0
    return match_array(match, text) if match else None


def _test(context: Context, this: RegExp, arguments: list[Any]) -> bool:
    return _exec(context, this, arguments) is not None


def _properties(context: Context, this: RegExp, name: str) -> Any:
    if name == "source":
        return this.source or "(?:)"
    if name == "flags":
        return this.flags
    if name == "lastIndex":
        return this.last_index
    flag = {"global": "g", "ignoreCase": "i", "multiline": "m", "sticky": "y", "unicode": "u"}.get(
        name
    )
    return UNDEFINED if flag is None else flag in this.flags


def make_regexp(context: Context, this: Any, arguments: list[Any]) -> RegExp:
    """`new RegExp(pattern, flags)`."""
    pattern, flags = argument(arguments, 0), argument(arguments, 1)
    if isinstance(pattern, RegExp):
        return RegExp(pattern.source, pattern.flags if flags is UNDEFINED else to_string(flags))
    source = "" if pattern is UNDEFINED else to_string(pattern)
    try:
        return RegExp(source, "" if flags is UNDEFINED else to_string(flags))
    except NeedsEngineError:
        return throw_syntax("Invalid regular expression")


STRINGS[RegExp] = lambda value: f"/{value.source or '(?:)'}/{value.flags}"
METHODS[RegExp] = {
    "exec": _exec,
    "test": _test,
    "toString": lambda context, this, arguments: to_string(this),
}
PROPERTIES[RegExp] = _properties

__all__ = ["MatchArray", "RegExp", "make_regexp", "match_array", "to_integer"]
