"""The methods of JavaScript strings."""

import unicodedata
from typing import Any

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import (
    TEXT_MAX,
    to_integer,
    to_number,
    to_string,
)
from penstock.workflow.expressions.errors import throw_range, throw_type
from penstock.workflow.expressions.iteration import JsIterator
from penstock.workflow.expressions.members import METHODS, argument
from penstock.workflow.expressions.numbers import SPACE
from penstock.workflow.expressions.regexp import MatchArray, RegExp, match_array
from penstock.workflow.expressions.replacing import replace, replace_all
from penstock.workflow.expressions.text import char_at, units, whole
from penstock.workflow.expressions.values import UNDEFINED


def has_own(this: str, key: Any) -> bool:
    """Whether a string has the index `key`."""
    name = to_string(key)
    return name.isdigit() and char_at(this, int(name)) is not UNDEFINED


SPLIT_MAX = 1_000_000


def _bounds(start: int, end: int, size: int) -> tuple[int, int]:
    """Slice bounds where negative ones count from the end."""
    start = max(size + start, 0) if start < 0 else min(start, size)
    end = max(size + end, 0) if end < 0 else min(end, size)
    return start, end


def _slice(context: Context, this: str, arguments: list[Any]) -> str:
    text = units(this)
    end = to_integer(argument(arguments, 1), len(text))
    start, end = _bounds(to_integer(argument(arguments, 0)), end, len(text))
    return whole(text[start:end])


def _substring(context: Context, this: str, arguments: list[Any]) -> str:
    text = units(this)
    start = min(max(to_integer(argument(arguments, 0)), 0), len(text))
    end = min(max(to_integer(argument(arguments, 1), len(text)), 0), len(text))
    return whole(text[min(start, end) : max(start, end)])


def _substr(context: Context, this: str, arguments: list[Any]) -> str:
    text = units(this)
    start = to_integer(argument(arguments, 0))
    start = max(len(text) + start, 0) if start < 0 else min(start, len(text))
    size = to_integer(argument(arguments, 1), len(text))
    return whole(text[start : start + max(size, 0)])


def _split(context: Context, this: str, arguments: list[Any]) -> list[Any]:
    separator = argument(arguments, 0)
    limit = to_integer(argument(arguments, 1), SPLIT_MAX)
    context.charge(len(this))
    if separator is UNDEFINED:
        parts: list[Any] = [this]
    elif isinstance(separator, RegExp):
        parts = _split_by_pattern(context, this, separator)
    else:
        by = to_string(separator)
        parts = list(this.split(by)) if by else list(units(this))
    context.charge(len(parts) * 8)
    return parts[:limit] if limit >= 0 else parts


def _split_by_pattern(context: Context, text: str, pattern: RegExp) -> list[Any]:
    if not text:
        return [] if pattern.search(context, text) else [""]
    every = RegExp(pattern.source, pattern.flags if pattern.is_global else pattern.flags + "g")
    parts: list[Any] = []
    start = 0
    for match in every.matches(context, text):
        if match.end() == match.start() and (
            match.start() in (0, len(text)) or match.end() == start
        ):
            if match.start() in (0, len(text)):
                continue
            if match.end() == start:
                continue
        parts.append(text[start : match.start()])
        parts.extend(UNDEFINED if group is None else group for group in match.groups())
        start = match.end()
    parts.append(text[start:])
    return parts


def _match(context: Context, this: str, arguments: list[Any]) -> Any:
    pattern = _as_pattern(argument(arguments, 0))
    if not pattern.is_global:
        match = pattern.search(context, this)
        return match_array(match, this) if match else None
    return [match.group() for match in pattern.matches(context, this)] or None


def _match_all(context: Context, this: str, arguments: list[Any]) -> Any:
    pattern = _as_pattern(argument(arguments, 0), "g")
    if not pattern.is_global:
        throw_type("String.prototype.matchAll called with a non-global RegExp argument")
    return JsIterator([match_array(match, this) for match in pattern.matches(context, this)])


def _search(context: Context, this: str, arguments: list[Any]) -> int:
    match = _as_pattern(argument(arguments, 0)).search(context, this)
    return match.start() if match else -1


def _as_pattern(value: Any, flags: str = "") -> RegExp:
    if isinstance(value, RegExp):
        return value
    return RegExp("" if value is UNDEFINED else to_string(value), flags)


def _repeat(context: Context, this: str, arguments: list[Any]) -> str:
    count = to_integer(argument(arguments, 0))
    if count < 0 or to_number(argument(arguments, 0)) == float("inf"):
        throw_range(f"Invalid count value: {to_string(argument(arguments, 0))}")
    if count * len(this) > TEXT_MAX:
        throw_range("Invalid string length")
    context.charge(count * len(this))
    return this * count


def _pad(this: str, arguments: list[Any], *, at_start: bool) -> str:
    size = to_integer(argument(arguments, 0))
    filler = " " if argument(arguments, 1) is UNDEFINED else to_string(argument(arguments, 1))
    missing = size - len(units(this))
    if missing <= 0 or not filler:
        return this
    if size > TEXT_MAX:
        throw_range("Invalid string length")
    padding = (filler * (missing // len(filler) + 1))[:missing]
    return padding + this if at_start else this + padding


def _pad_start(context: Context, this: str, arguments: list[Any]) -> str:
    text = _pad(this, arguments, at_start=True)
    context.charge(len(text))
    return text


def _pad_end(context: Context, this: str, arguments: list[Any]) -> str:
    text = _pad(this, arguments, at_start=False)
    context.charge(len(text))
    return text


def _plain_argument(arguments: list[Any]) -> str:
    value = argument(arguments, 0)
    if isinstance(value, RegExp):
        throw_type("First argument must not be a regular expression")
    return to_string(value)


def _includes(context: Context, this: str, arguments: list[Any]) -> bool:
    return this.find(_plain_argument(arguments), max(to_integer(argument(arguments, 1)), 0)) >= 0


def _starts_with(context: Context, this: str, arguments: list[Any]) -> bool:
    return this.startswith(_plain_argument(arguments), max(to_integer(argument(arguments, 1)), 0))


def _ends_with(context: Context, this: str, arguments: list[Any]) -> bool:
    end = to_integer(argument(arguments, 1), len(this))
    return this[: max(end, 0)].endswith(_plain_argument(arguments))


def _index_of(context: Context, this: str, arguments: list[Any]) -> int:
    text = units(this)
    start = min(max(to_integer(argument(arguments, 1)), 0), len(text))
    return text.find(units(to_string(argument(arguments, 0))), start)


def _last_index_of(context: Context, this: str, arguments: list[Any]) -> int:
    text, sought = units(this), units(to_string(argument(arguments, 0)))
    start = max(to_integer(argument(arguments, 1), len(text)), 0)
    return text.rfind(sought, 0, min(start, len(text)) + len(sought))


def _char_at(context: Context, this: str, arguments: list[Any]) -> str:
    found = char_at(this, to_integer(argument(arguments, 0)))
    return "" if found is UNDEFINED else found


def _char_code_at(context: Context, this: str, arguments: list[Any]) -> float:
    found = char_at(this, to_integer(argument(arguments, 0)))
    return float("nan") if found is UNDEFINED else ord(found)


def _code_point_at(context: Context, this: str, arguments: list[Any]) -> Any:
    text, index = units(this), to_integer(argument(arguments, 0))
    pair = whole(text[index : index + 2]) if 0 <= index < len(text) else ""
    return ord(pair[0]) if pair else UNDEFINED


def _at(context: Context, this: str, arguments: list[Any]) -> Any:
    text, index = units(this), to_integer(argument(arguments, 0))
    return char_at(text, index + len(text) if index < 0 else index)


def _concat(context: Context, this: str, arguments: list[Any]) -> str:
    text = this + "".join(to_string(value) for value in arguments)
    context.charge(len(text))
    return text


def _normalize(context: Context, this: str, arguments: list[Any]) -> str:
    form = "NFC" if argument(arguments, 0) is UNDEFINED else to_string(argument(arguments, 0))
    if form not in ("NFC", "NFD", "NFKC", "NFKD"):
        throw_range("The normalization form should be one of NFC, NFD, NFKC, NFKD.")
    return unicodedata.normalize(form, this)  # type: ignore[arg-type]


def collation_key(text: str) -> tuple[str, str, str]:
    """A key that sorts text like a dictionary: letters first, then accents, then case."""
    plain = unicodedata.normalize("NFD", text)
    letters = "".join(char for char in plain if not unicodedata.combining(char))
    return letters.casefold(), plain.casefold(), text.swapcase()


def _locale_compare(context: Context, this: str, arguments: list[Any]) -> int:
    left, right = collation_key(this), collation_key(to_string(argument(arguments, 0)))
    return (left > right) - (left < right)


def _lower(context: Context, this: str, arguments: list[Any]) -> str:
    return this.lower()


def _upper(context: Context, this: str, arguments: list[Any]) -> str:
    return this.upper()


def _identity(context: Context, this: str, arguments: list[Any]) -> str:
    return this


METHODS[str].update(
    {
        "slice": _slice,
        "substring": _substring,
        "substr": _substr,
        "split": _split,
        "replace": replace,
        "replaceAll": replace_all,
        "match": _match,
        "matchAll": _match_all,
        "search": _search,
        "repeat": _repeat,
        "padStart": _pad_start,
        "padEnd": _pad_end,
        "includes": _includes,
        "startsWith": _starts_with,
        "endsWith": _ends_with,
        "indexOf": _index_of,
        "lastIndexOf": _last_index_of,
        "charAt": _char_at,
        "charCodeAt": _char_code_at,
        "codePointAt": _code_point_at,
        "at": _at,
        "concat": _concat,
        "normalize": _normalize,
        "localeCompare": _locale_compare,
        "toLowerCase": _lower,
        "toLocaleLowerCase": _lower,
        "toUpperCase": _upper,
        "toLocaleUpperCase": _upper,
        "toString": _identity,
        "valueOf": _identity,
        "toLocaleString": _identity,
        "trim": lambda context, this, arguments: this.strip(SPACE),
        "trimStart": lambda context, this, arguments: this.lstrip(SPACE),
        "trimEnd": lambda context, this, arguments: this.rstrip(SPACE),
        "bold": lambda context, this, arguments: f"<b>{this}</b>",
        "hasOwnProperty": lambda context, this, arguments: (
            has_own(this, argument(arguments, 0)) or argument(arguments, 0) == "length"
        ),
    }
)

__all__ = ["MatchArray"]
