"""Types of fields: what counts as a string, a number, … and how other values become one.

The Set nodes, the filter conditions and the sub-workflow trigger all convert by these rules.
`ACCEPT[type](value)` gives the converted value or `INVALID`; null and undefined pass untouched
before it is asked.
"""

import math
from collections.abc import Callable
from typing import Any

from penstock.nodes.json_repair import NotJsonError, parse, parse_literal
from penstock.sdk.plain import plain, stringify
from penstock.workflow.expressions.convert import to_number, to_string, typeof
from penstock.workflow.expressions.errors import JsThrow
from penstock.workflow.expressions.numbers import tidy
from penstock.workflow.expressions.values import UNDEFINED


class _Invalid:
    def __repr__(self) -> str:
        return "INVALID"


INVALID = _Invalid()
"""The answer of a converter to a value that has no sensible reading in its type."""

Converter = Callable[[Any], Any]


def describe(value: Any) -> str:
    """A value as error messages name it."""
    if type(value) is list:
        return "array"
    if value is not None and typeof(value) == "object":
        return "object"
    return f"'{to_string(value)}'"


def mismatch(name: str, value: Any, type_name: str) -> str:
    """The message for a field whose value does not fit its type."""
    return f"'{name}' expects a {type_name} but we got {describe(value)}"


def as_text(value: Any) -> Any:
    """Text; objects and arrays become JSON."""
    if type(value) is str:
        return value
    if typeof(value) == "object":
        made = plain(value)
        return "" if made is UNDEFINED else stringify(made)
    return to_string(value)


def as_number(value: Any) -> Any:
    """A number, or what JavaScript's `Number()` makes of the value."""
    kind = type(value)
    if kind is int:
        return value
    try:
        number = to_number(value)
    except JsThrow:
        return INVALID
    return INVALID if math.isnan(number) else tidy(number)


def as_boolean(value: Any) -> Any:
    """true and false, also as text in any case, and whatever equals 1 or 0."""
    if type(value) is bool:
        return value
    if type(value) is str:
        word = value.lower()
        if word in ("true", "false"):
            return word == "true"
        if not value.strip():
            return INVALID
    number = as_number(value)
    return bool(number) if number is not INVALID and number in (0, 1) else INVALID


def as_list(value: Any) -> Any:
    """An array, or the JSON text of one (single quotes pass for double ones)."""
    if type(value) is list:
        return value
    text = to_string(value)
    for candidate in (text, text.replace("'", '"')):
        try:
            made = parse(candidate)
        except NotJsonError:
            continue
        return made if type(made) is list else INVALID
    return INVALID


def as_object(value: Any) -> Any:
    """An object, or the JSON (or JavaScript literal) text of one."""
    if type(value) is dict:
        return value
    if type(value) is not list and typeof(value) == "object":
        return value
    try:
        made = parse_literal(to_string(value))
    except NotJsonError:
        return INVALID
    return made if made is None or type(made) is dict else INVALID


ACCEPT: dict[str, Converter] = {
    "string": as_text,
    "number": as_number,
    "boolean": as_boolean,
    "array": as_list,
    "object": as_object,
}


def convert(value: Any, type_name: str) -> Any:
    """`value` in the type, or `INVALID`. Types that are not known take everything."""
    if value is None or value is UNDEFINED:
        return None
    converter = ACCEPT.get(type_name)
    return value if converter is None else converter(value)
