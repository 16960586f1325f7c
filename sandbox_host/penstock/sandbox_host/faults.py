"""JavaScript errors in V8's words, which people know, match on and see in their logs.

quickjs-ng says what went wrong but not in which expression ("not a function"); V8 quotes the
expression. `words` finds it in the user's text by the error's place and prints it as V8 does.
"""

import json
import re
from functools import lru_cache
from typing import Any

import tree_sitter
import tree_sitter_javascript

_LANGUAGE = tree_sitter.Language(tree_sitter_javascript.language())
_CALLEE = {"call_expression": "function", "new_expression": "constructor"}
_CONTEXT = 10
"""Characters of JSON text that V8 shows before and after the fault."""


@lru_cache(maxsize=8)
def _parse(source: str) -> Any:
    return tree_sitter.Parser(_LANGUAGE).parse(f"(async function(){{{source}\n}})".encode())


def words(source: str, message: str, *, line: int, column: int) -> str:
    """V8's message for the engine's `message` at `line` and `column` (from 1) of `source`."""
    root = _parse(source).root_node
    if message == "value is not iterable":
        return _not_iterable(root, line) or message
    found = _call_at(root, line, column)
    if found is None:
        return message
    callee = found.child_by_field_name(_CALLEE[found.type])
    if message == "not a function" and _is_iterated(found):
        message = "not a function or its return value is not iterable"
    return f"{_show(callee)} is {message}"


def call_line(source: str, called: str, *, line: int, column: int) -> int:
    """The line of the name `called` in the innermost call of it around a place, else `line`."""
    if not called or called == "<anonymous>":
        return line
    root = _parse(source).root_node
    byte = _byte(root, line, column)
    node = root.descendant_for_byte_range(byte, byte)
    while node is not None:
        callee = node.child_by_field_name(_CALLEE.get(node.type, "none"))
        name = callee and (callee.child_by_field_name("property") or callee)
        if name and name.text.decode() == called:
            return int(name.start_point[0]) + 1
        node = node.parent
    return line


def _call_at(root: Any, line: int, column: int) -> Any:
    """The call whose callee's last name stands at the place: the engine points there."""
    byte = _byte(root, line, column)
    candidates = []
    stack = [root]
    while stack:
        node = stack.pop()
        if node.start_byte <= byte <= node.end_byte:
            if node.type in _CALLEE:
                candidates.append(node)
            stack.extend(node.children)
    for node in candidates:
        callee = node.child_by_field_name(_CALLEE[node.type])
        last = callee and (callee.child_by_field_name("property") or callee)
        if last is not None and last.start_byte <= byte <= last.end_byte:
            return node
    return candidates[-1] if candidates else None


def _byte(root: Any, line: int, column: int) -> int:
    """The byte offset of a place; columns count code units, which for most text are characters."""
    rows = root.text.split(b"\n")
    row = rows[line - 1] if line <= len(rows) else b""
    prefix = row.decode("utf-8", "replace")[: column - 1]
    return sum(len(each) + 1 for each in rows[: line - 1]) + len(prefix.encode())


def _is_iterated(node: Any) -> bool:
    parent = node.parent
    while parent is not None and parent.type == "parenthesized_expression":
        parent = parent.parent
    return (
        parent is not None
        and parent.type == "for_in_statement"
        and parent.child_by_field_name("right") == node
    )


def _not_iterable(root: Any, line: int) -> str | None:
    """What V8 says of the iteration on `line`: it quotes the expression that is iterated."""
    for node in _on_line(root, line):
        if node.type == "for_in_statement" and b" of " in node.text:
            right = node.child_by_field_name("right")
            if right.type == "call_expression":
                callee = _show(right.child_by_field_name("function"), calls=False)
                return f"{callee} is not a function or its return value is not iterable"
            return f"{_show(right, calls=False)} is not iterable"
    for node in _on_line(root, line):
        if node.type == "variable_declarator":
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if name.type == "array_pattern" and value is not None:
                return f"{_show(value, calls=False)} is not iterable"
        if node.type == "spread_element":
            return (
                "Spread syntax requires ...iterable[Symbol.iterator] to be a function"
                if node.parent.type != "array"
                else f"{_show(node.named_children[0], calls=False)} is not iterable"
            )
    return None


def _on_line(root: Any, line: int) -> list[Any]:
    found, stack = [], [root]
    while stack:
        node = stack.pop()
        if node.start_point[0] <= line - 1 <= node.end_point[0]:
            if node.start_point[0] == line - 1:
                found.append(node)
            stack.extend(reversed(node.children))
    return found


def _show(node: Any, calls: bool = True) -> str:
    """An expression as V8 prints it: arguments elided, functions as `(intermediate value)`."""
    if node is None:
        return "(intermediate value)"
    show = _SHOWN.get(node.type)
    if show is not None:
        return str(show(node, calls))
    return "(intermediate value)"


def _member(node: Any, calls: bool) -> str:
    target = _show(node.child_by_field_name("object"), calls)
    chain = "?" if node.child_by_field_name("optional_chain") is not None else ""
    return f"{target}{chain}.{node.child_by_field_name('property').text.decode()}"


def _subscript(node: Any, calls: bool) -> str:
    index = _show(node.child_by_field_name("index"), calls)
    chain = "?." if node.child_by_field_name("optional_chain") is not None else ""
    return f"{_show(node.child_by_field_name('object'), calls)}{chain}[{index}]"


def _called(node: Any, calls: bool) -> str:
    return _show(node.child_by_field_name("function"), calls) + ("(...)" if calls else "")


def _binary(node: Any, calls: bool) -> str:
    left, right = (_show(node.child_by_field_name(side), calls) for side in ("left", "right"))
    return f"({left} {node.child_by_field_name('operator').text.decode()} {right})"


def _inner(node: Any, calls: bool) -> str:
    return _show(node.named_children[0], calls) if node.named_children else ""


def _text(node: Any, calls: bool) -> str:
    text: str = node.text.decode()
    return text


def _string(node: Any, calls: bool) -> str:
    return f'"{_text(node, calls)[1:-1]}"'


_SHOWN: dict[str, Any] = {
    "identifier": _text,
    "property_identifier": _text,
    "number": _text,
    "this": _text,
    "null": _text,
    "undefined": _text,
    "true": _text,
    "false": _text,
    "regex": _text,
    "string": _string,
    "member_expression": _member,
    "subscript_expression": _subscript,
    "call_expression": _called,
    "binary_expression": _binary,
    "parenthesized_expression": _inner,
    "array": lambda node, calls: "[]" if not node.named_children else "[...]",
}


# ---- JSON.parse

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")


class _BadJsonError(Exception):
    """The place of the first fault and V8's words for it (empty: an unexpected token)."""

    def __init__(self, at: int, text: str = "") -> None:
        super().__init__(text)
        self.at = at
        self.text = text


def json_words(text: str) -> str:
    """The message with which V8's `JSON.parse` refuses `text`."""
    try:
        end = _space(text, _value(text, _space(text, 0), 0))
        if end < len(text):
            raise _BadJsonError(end, "Unexpected non-whitespace character after JSON")
    except _BadJsonError as bad:
        return _describe(text, bad)
    return f"{json.dumps(text[:40])} is not valid JSON"


def _describe(text: str, bad: _BadJsonError) -> str:
    if bad.at >= len(text) and not bad.text:
        return "Unexpected end of JSON input"
    if bad.text:
        before = text[: bad.at]
        line = before.count("\n") + 1
        column = bad.at - (before.rfind("\n") + 1) + 1
        return f"{bad.text} in JSON at position {bad.at} (line {line} column {column})".replace(
            "JSON in JSON", "JSON"
        )
    if text in ("undefined", "[object Object]"):
        return f'"{text}" is not valid JSON'
    quoted = f'"{text}"'
    if len(text) > 2 * _CONTEXT:
        start, end = max(bad.at - _CONTEXT, 0), min(bad.at + _CONTEXT, len(text))
        quoted = f'"{text[start:end]}"'
        quoted = ("..." if start else "") + quoted + ("..." if end < len(text) else "")
    return f"Unexpected token '{text[bad.at]}', {quoted} is not valid JSON"


def _space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\n\r":
        at += 1
    return at


def _value(text: str, at: int, depth: int) -> int:
    if at >= len(text):
        raise _BadJsonError(at)
    char = text[at]
    if char == '"':
        return _string_end(text, at)
    if char == "{" and depth < 500:
        return _object(text, at + 1, depth + 1)
    if char == "[" and depth < 500:
        return _array(text, at + 1, depth + 1)
    return _scalar(text, at)


def _scalar(text: str, at: int) -> int:
    match = _NUMBER.match(text, at)
    if match:
        return match.end()
    if text[at] == "-":
        raise _BadJsonError(at + 1, "No number after minus sign")
    for word in ("true", "false", "null"):
        if text[at] == word[0]:
            for offset, expected in enumerate(word):
                if text[at + offset : at + offset + 1] != expected:
                    raise _BadJsonError(at + offset)
            return at + len(word)
    raise _BadJsonError(at)


def _string_end(text: str, at: int) -> int:
    at += 1
    while at < len(text):
        char = text[at]
        if char == '"':
            return at + 1
        if char == "\\":
            if text[at + 1 : at + 2] not in tuple('"\\/bfnrtu'):
                raise _BadJsonError(at + 1, "Bad escaped character")
            at += 1
        elif char < " ":
            raise _BadJsonError(at, "Bad control character in string literal")
        at += 1
    raise _BadJsonError(len(text), "Unterminated string")


def _array(text: str, at: int, depth: int) -> int:
    at = _space(text, at)
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        at = _space(text, _value(text, at, depth))
        if text[at : at + 1] == "]":
            return at + 1
        if text[at : at + 1] != ",":
            raise _BadJsonError(
                at, "Expected ',' or ']' after array element" if at < len(text) else ""
            )
        at = _space(text, at + 1)


def _object(text: str, at: int, depth: int) -> int:
    at = _space(text, at)
    if text[at : at + 1] == "}":
        return at + 1
    message = "Expected property name or '}'"
    while True:
        if text[at : at + 1] != '"':
            raise _BadJsonError(at, message)
        at = _space(text, _string_end(text, at))
        if text[at : at + 1] != ":":
            raise _BadJsonError(at, "Expected ':' after property name")
        at = _space(text, _value(text, _space(text, at + 1), depth))
        if text[at : at + 1] == "}":
            return at + 1
        if text[at : at + 1] != ",":
            raise _BadJsonError(at, "Expected ',' or '}' after property value")
        at, message = _space(text, at + 1), "Expected double-quoted property name"
