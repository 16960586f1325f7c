"""JSON as JavaScript reads and writes it, and the plain data that a value comes down to."""

import json
import math
import re
from typing import Any

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import to_integer, to_string
from penstock.workflow.expressions.errors import (
    ExpressionError,
    JsThrow,
    throw_range,
    throw_syntax,
    throw_type,
)
from penstock.workflow.expressions.numbers import is_number, number_to_string, tidy
from penstock.workflow.expressions.regexp import RegExp
from penstock.workflow.expressions.text import storable
from penstock.workflow.expressions.values import (
    UNDEFINED,
    BigInt,
    HostObject,
    JsFunction,
    JsSymbol,
)

JSON_FORMS: dict[type, Any] = {}
"""How a class of values becomes JSON (its `toJSON`): type to a function giving plain data."""

_DEPTH_MAX = 400


def to_json(value: Any) -> Any:
    """`value` as plain JSON data: what `JSON.parse(JSON.stringify(value))` would give.

    Dates become ISO strings, undefined and functions vanish (null in arrays and on their own),
    NaN and infinities become null, whole floats ints. Data that is plain already is returned as
    it is, not copied. Raises `ExpressionError` for what has no JSON (a cycle, a BigInt).
    """
    try:
        result = _plain(value, 0)
    except JsThrow as error:
        raise ExpressionError(to_string(error.value)) from None
    except RecursionError:
        raise ExpressionError("Converting circular structure to JSON") from None
    return None if result is UNDEFINED else result


def _plain(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind is str:
        return value if value.isascii() else storable(value)
    if kind is int or kind is bool or value is None or value is UNDEFINED:
        return value
    if kind is float:
        return whole_number(value) if math.isfinite(value) else None
    if depth > _DEPTH_MAX:
        throw_type("Converting circular structure to JSON")
    if kind is dict:
        return _plain_object(value, depth)
    if isinstance(value, list):
        return _plain_array(value, depth)
    return _plain_form(value, depth)


def _plain_form(value: Any, depth: int) -> Any:
    """What a value that is no plain data has for JSON."""
    form = JSON_FORMS.get(type(value))
    if form is not None:
        return _plain(form(value), depth + 1)
    if isinstance(value, (JsFunction, JsSymbol)):
        return UNDEFINED
    if isinstance(value, BigInt):
        throw_type("Do not know how to serialize a BigInt")
    if isinstance(value, HostObject):
        return {name: _plain(value.get(name), depth + 1) for name in value.keys()}  # noqa: SIM118
    return {}


def whole_number(value: float) -> float:
    """A float that JavaScript prints without a fraction, as the int of these digits."""
    tidied = tidy(value)
    if tidied == 0:
        return 0
    if type(tidied) is float and abs(tidied) < 1e21 and tidied == int(tidied) and tidied:
        return int(number_to_string(tidied))
    return tidied


def _plain_object(value: dict[str, Any], depth: int) -> Any:
    own = value.get("toJSON")
    if isinstance(own, JsFunction):
        return _plain(own.call(value, [""]), depth + 1)
    changed: dict[str, Any] | None = None
    for name, item in value.items():
        plain = _plain(item, depth + 1)
        if plain is not item or plain is UNDEFINED:
            if changed is None:
                changed = dict(value)
            changed[name] = plain
    if changed is None:
        return value
    return {name: item for name, item in changed.items() if item is not UNDEFINED}


def _plain_array(value: list[Any], depth: int) -> list[Any]:
    plain = [_plain(item, depth + 1) for item in value]
    unchanged = type(value) is list and all(a is b for a, b in zip(plain, value, strict=True))
    if unchanged and not any(item is UNDEFINED for item in plain):
        return value
    return [None if item is UNDEFINED else item for item in plain]


def quote(text: str) -> str:
    """A JSON string literal, with lone surrogates escaped as JavaScript does."""
    return _ENCODE(text)


_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode


class _Writer:
    """Writes JSON text with an indentation."""

    def __init__(self, context: Context, indent: str) -> None:
        self.context = context
        self.indent = indent

    def write(self, value: Any, margin: str) -> str:
        kind = type(value)
        if kind is str:
            return quote(value)
        if value is None:
            return "null"
        if kind is bool:
            return "true" if value else "false"
        if is_number(value):
            return number_to_string(value) if math.isfinite(value) else "null"
        self.context.step()
        inner = margin + self.indent
        if isinstance(value, list):
            return self._wrap("[]", [self.write(item, inner) for item in value], margin)
        colon = ": " if self.indent else ":"
        entries = ordered(value)
        parts = [f"{quote(name)}{colon}{self.write(item, inner)}" for name, item in entries]
        return self._wrap("{}", parts, margin)

    def _wrap(self, brackets: str, parts: list[str], margin: str) -> str:
        if not parts:
            return brackets
        if not self.indent:
            return brackets[0] + ",".join(parts) + brackets[1]
        inner = "\n" + margin + self.indent
        return brackets[0] + inner + ("," + inner).join(parts) + "\n" + margin + brackets[1]


def ordered(value: dict[str, Any]) -> list[tuple[str, Any]]:
    """The entries of an object in JavaScript's order: indexes first, ascending."""
    if not any(name.isdigit() for name in value):
        return list(value.items())
    indexes = [name for name in value if name.isdigit() and str(int(name)) == name]
    rest = [name for name in value if not (name.isdigit() and str(int(name)) == name)]
    return [(name, value[name]) for name in sorted(indexes, key=int) + rest]


_PARTICULAR = re.compile(r'\d[eE][+-]\d|"\d+":')
"""What Python writes otherwise than JavaScript: exponents, and the order of index-like names."""


def _write(context: Context, plain: Any, indent: str) -> str:
    if not indent:
        text = _COMPACT(plain)
        if not _PARTICULAR.search(text):
            return text
    return _Writer(context, indent).write(plain, "")


def stringify(context: Context, this: Any, arguments: list[Any]) -> Any:
    """`JSON.stringify(value, replacer, indent)`."""
    value = arguments[0] if arguments else UNDEFINED
    replacer = arguments[1] if len(arguments) > 1 else UNDEFINED
    if isinstance(replacer, JsFunction):
        value = _replaced(replacer, {"": value}, "")
    elif isinstance(replacer, list):
        value = _only(value, {to_string(name) for name in replacer})
    plain = _plain(value, 0)
    if plain is UNDEFINED:
        return UNDEFINED
    text = _write(context, plain, _indent(arguments[2] if len(arguments) > 2 else UNDEFINED))
    context.charge(len(text))
    return text


def _indent(value: Any) -> str:
    if is_number(value):
        return " " * min(max(to_integer(value), 0), 10)
    return value[:10] if type(value) is str else ""


def _replaced(replacer: JsFunction, holder: Any, key: str) -> Any:
    item = holder[int(key)] if isinstance(holder, list) else holder[key]
    form = JSON_FORMS.get(type(item))
    value = replacer.call(holder, [key, form(item) if form else item])
    if type(value) is dict:
        return {name: _replaced(replacer, value, name) for name in list(value)}
    if isinstance(value, list):
        return [_replaced(replacer, value, str(index)) for index in range(len(value))]
    return value


def _only(value: Any, names: set[str]) -> Any:
    if type(value) is dict:
        return {name: _only(item, names) for name, item in value.items() if name in names}
    if isinstance(value, list):
        return [_only(item, names) for item in value]
    return value


def parse(context: Context, this: Any, arguments: list[Any]) -> Any:
    """`JSON.parse(text, reviver)`; throws a SyntaxError."""
    text = to_string(arguments[0] if arguments else UNDEFINED)
    context.charge(len(text) * 2)
    value = parse_text(text)
    reviver = arguments[1] if len(arguments) > 1 else UNDEFINED
    return _revived(reviver, {"": value}, "") if isinstance(reviver, JsFunction) else value


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def parse_text(text: str) -> Any:
    """The data of a JSON text; throws a SyntaxError that names the culprit as V8 does."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        return throw_range("Maximum call stack size exceeded")
    except ValueError as error:
        return throw_syntax(_complaint(text, getattr(error, "pos", 0)))


def _complaint(text: str, position: int) -> str:
    if position >= len(text):
        return "Unexpected end of JSON input"
    shown = text if len(text) <= 10 else f"{text[:10]}"
    dots = "" if len(text) <= 10 else "..."
    return f"Unexpected token '{text[position]}', \"{shown}\"{dots} is not valid JSON"


def _revived(reviver: JsFunction, holder: Any, key: str) -> Any:
    value = holder[int(key)] if isinstance(holder, list) else holder[key]
    if type(value) is dict:
        for name in list(value):
            item = _revived(reviver, value, name)
            if item is UNDEFINED:
                del value[name]
            else:
                value[name] = item
    elif isinstance(value, list):
        for index in range(len(value)):
            value[index] = _revived(reviver, value, str(index))
    return reviver.call(holder, [key, value])


JSON_FORMS[RegExp] = lambda value: {}
