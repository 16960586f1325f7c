"""Whether two values of fields are the same: deep and strict, or fuzzy about their types."""

import math
from collections.abc import Callable
from typing import Any

from penstock.workflow.expressions.convert import to_number, to_string
from penstock.workflow.expressions.values import UNDEFINED

Equal = Callable[[Any, Any], bool]


def deep_equal(a: Any, b: Any) -> bool:
    """Equal in type and value, all the way down; 1 and 1.0 are one number, true is none."""
    if type(a) is not type(b):
        numbers = type(a) in (int, float) and type(b) in (int, float)
        return numbers and a == b
    if type(a) is dict:
        return len(a) == len(b) and all(
            key in b and deep_equal(value, b[key]) for key, value in a.items()
        )
    if type(a) is list:
        return len(a) == len(b) and all(map(deep_equal, a, b))
    if type(a) is float and math.isnan(a):
        return math.isnan(b)
    return bool(a == b)


def fuzzy_equal(a: Any, b: Any) -> bool:
    """Equal once types are tolerated: `3` and `"3"`, `true` and `"true"`, null and nothing."""
    if type(a) is type(b) and a is not None:
        return deep_equal(a, b)
    if _is_nothing(a) and _is_nothing(b):
        return True
    if _is_nothing(a) or _is_nothing(b):
        return False
    if isinstance(a, dict | list) or isinstance(b, dict | list):
        return deep_equal(a, b)
    if isinstance(a, bool) or isinstance(b, bool):
        return _word(a) == _word(b)
    return to_number(a) == to_number(b)


def _is_nothing(value: Any) -> bool:
    return value is None or value is UNDEFINED or value in ("", [], {})


def _word(value: Any) -> str:
    text = to_string(value).lower()
    return {"1": "true", "0": "false"}.get(text, text)


def equality(*, is_fuzzy: bool) -> Equal:
    """The comparison that a node's `fuzzyCompare` option asks for."""
    return fuzzy_equal if is_fuzzy else deep_equal
