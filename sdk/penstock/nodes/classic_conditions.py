"""Conditions of the first generation: If v1, Filter v1, Switch v1 and v2.

Values are compared as JavaScript would, with hardly any conversion; a comparison that JavaScript
could not do (`endsWith` of a number) is an error.
"""

import math
from collections.abc import Callable
from typing import Any

from penstock.nodes.patterns import matches_pattern
from penstock.sdk.call import NodeError
from penstock.workflow.expressions.convert import strict_equals, to_string, truthy
from penstock.workflow.expressions.js_date import parse_date
from penstock.workflow.expressions.operators import at_least, at_most, greater_than, less_than
from penstock.workflow.expressions.values import UNDEFINED, JsDate

Compare = Callable[[Any, Any], bool]

KINDS = ("boolean", "dateTime", "number", "string")
DEFAULTS: dict[str, tuple[Any, str]] = {
    "boolean": (False, "equal"),
    "dateTime": ("", "after"),
    "number": (0, "smaller"),
    "string": ("", "equal"),
}
"""By kind: what a missing value and a missing operation stand for."""


def passes(kind: str, operation: str, left: Any, right: Any) -> bool:
    """Whether one comparison holds."""
    if kind == "dateTime":
        left, right = _time_ms(left), _time_ms(right)
    compare = _OPERATIONS.get(operation)
    if compare is None:
        raise NodeError(f"compareOperationFunctions[{operation}] is not a function")
    return compare(left, right)


def condition_passes(kind: str, condition: dict[str, Any]) -> bool:
    """Whether a resolved condition `{value1, operation, value2}` holds."""
    value, operation = DEFAULTS[kind]
    return passes(
        kind,
        to_string(condition.get("operation", operation)),
        condition.get("value1", value),
        condition.get("value2", value),
    )


def _time_ms(value: Any) -> float:
    if type(value) is str:
        ms = parse_date(value)
    elif isinstance(value, JsDate):
        ms = value.ms
    else:
        ms = value if type(value) in (int, float) else math.nan
    if math.isnan(ms):
        raise NodeError(f'The value "{to_string(value)}" is not a valid DateTime.')
    return ms


def _or(value: Any, default: Any) -> Any:
    return value if truthy(value) else default


def _text(value: Any) -> str:
    return to_string(_or(value, ""))


def _contains(left: Any, right: Any) -> bool:
    return _text(right) in _text(left)


def _starts_with(left: Any, right: Any) -> bool:
    return _string(left, "startsWith").startswith(to_string(right))


def _ends_with(left: Any, right: Any) -> bool:
    return _string(left, "endsWith").endswith(to_string(right))


def _string(value: Any, method: str) -> str:
    if value is None or value is UNDEFINED:
        message = f"Cannot read properties of {to_string(value)} (reading '{method}')"
        raise NodeError(message, name="TypeError")
    if type(value) is not str:
        raise NodeError(f"value1.{method} is not a function", name="TypeError")
    return value


def _numeric(compare: Callable[[Any, Any], bool]) -> Compare:
    """A comparison for which whatever is falsy counts as 0."""
    return lambda left, right: compare(_or(left, 0), _or(right, 0))


def _is_empty(left: Any, _right: Any) -> bool:
    if type(left) is float:
        return math.isnan(left)
    return left is None or left is UNDEFINED or left in ("", [], {})


def _matches(left: Any, right: Any) -> bool:
    return matches_pattern(_text(right), _text(left))


def _not(compare: Compare) -> Compare:
    return lambda left, right: not compare(left, right)


_OPERATIONS: dict[str, Compare] = {
    "after": _numeric(greater_than),
    "before": _numeric(less_than),
    "contains": _contains,
    "notContains": _not(_contains),
    "endsWith": _ends_with,
    "notEndsWith": _not(_ends_with),
    "equal": strict_equals,
    "notEqual": _not(strict_equals),
    "larger": _numeric(greater_than),
    "largerEqual": _numeric(at_least),
    "smaller": _numeric(less_than),
    "smallerEqual": _numeric(at_most),
    "startsWith": _starts_with,
    "notStartsWith": _not(_starts_with),
    "isEmpty": _is_empty,
    "isNotEmpty": _not(_is_empty),
    "regex": _matches,
    "notRegex": _not(_matches),
}
