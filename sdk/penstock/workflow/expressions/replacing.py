"""`replace` and `replaceAll`: by text, by pattern, by function."""

from typing import Any

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import TEXT_MAX, to_string
from penstock.workflow.expressions.errors import throw_range, throw_type
from penstock.workflow.expressions.members import argument
from penstock.workflow.expressions.regexp import RegExp
from penstock.workflow.expressions.values import UNDEFINED, JsFunction


def _expand(template: str, match: Any, text: str) -> str:
    """The replacement for one match: `$1`, `$&`, `$<name>` and their like filled in."""
    if "$" not in template:
        return template
    parts, position = [], 0
    while True:
        found = template.find("$", position)
        if found < 0 or found + 1 >= len(template):
            parts.append(template[position:])
            return "".join(parts)
        parts.append(template[position:found])
        piece, position = _reference(template, found + 1, match, text)
        parts.append(piece)


def _reference(template: str, position: int, match: Any, text: str) -> tuple[str, int]:
    char = template[position]
    start, end = match.span()
    simple = {"$": "$", "&": text[start:end], "`": text[:start], "'": text[end:]}
    if char in simple:
        return simple[char], position + 1
    if char.isdigit():
        count = len(match.groups())
        for size in (2, 1):
            digits = template[position : position + size]
            if len(digits) == size and digits.isdigit() and 0 < int(digits) <= count:
                return match.group(int(digits)) or "", position + size
    if char == "<" and match.groupdict():
        close = template.find(">", position)
        if close > 0:
            return match.groupdict().get(template[position + 1 : close]) or "", close + 1
    return "$", position


class _PlainMatch:
    """A match of a plain string, with the face of a pattern's match."""

    __slots__ = ("at", "text")

    def __init__(self, at: int, text: str) -> None:
        self.at = at
        self.text = text

    def span(self) -> tuple[int, int]:
        return self.at, self.at + len(self.text)

    def group(self, index: int = 0) -> str:
        return self.text

    def groups(self) -> tuple[str, ...]:
        return ()

    def groupdict(self) -> dict[str, str]:
        return {}


def _plain_matches(text: str, sought: str, *, every: bool) -> list[_PlainMatch]:
    found, position = [], 0
    while (at := text.find(sought, position)) >= 0:
        found.append(_PlainMatch(at, sought))
        if not every:
            break
        position = at + max(len(sought), 1)
    return found


def _replacement(value: Any, match: Any, text: str) -> str:
    if not isinstance(value, JsFunction):
        return _expand(to_string(value), match, text)
    groups = [UNDEFINED if group is None else group for group in match.groups()]
    arguments = [match.group(), *groups, match.span()[0], text]
    if match.groupdict():
        arguments.append(dict(match.groupdict()))
    return to_string(value.call(UNDEFINED, arguments))


def replace(context: Context, this: str, arguments: list[Any], *, every: bool = False) -> str:
    sought, by = argument(arguments, 0), argument(arguments, 1)
    if isinstance(sought, RegExp):
        if every and not sought.is_global:
            throw_type("replaceAll must be called with a global RegExp")
        matches: list[Any] = list(sought.matches(context, this))
    else:
        sought = to_string(sought)
        plain = None if isinstance(by, JsFunction) else to_string(by)
        if plain is not None and "$" not in plain and sought:
            return _replace_plain(context, this, sought, plain, every=every)
        matches = list(_plain_matches(this, sought, every=every))
    parts, position, size = [], 0, 0
    for match in matches:
        start, end = match.span()
        piece = _replacement(by, match, this)
        size += len(piece)
        if size > TEXT_MAX:
            throw_range("Invalid string length")
        parts += [this[position:start], piece]
        position = end
        context.step()
    parts.append(this[position:])
    context.charge(size)
    return "".join(parts)


def _replace_plain(context: Context, text: str, sought: str, by: str, *, every: bool) -> str:
    if not every:
        return text.replace(sought, by, 1)
    if len(by) > len(sought) and len(text) + text.count(sought) * len(by) > TEXT_MAX:
        throw_range("Invalid string length")
    result = text.replace(sought, by)
    context.charge(len(result))
    return result


def replace_all(context: Context, this: str, arguments: list[Any]) -> str:
    return replace(context, this, arguments, every=True)
