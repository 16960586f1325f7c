"""The comparisons of filter conditions, by `type:operation`.

Each entry makes an operator for a case sensitivity. An operator gets values that were already
converted to the type; null and undefined may still come and count as empty.
"""

import math
from collections.abc import Callable
from typing import Any

from penstock.nodes.patterns import matches_pattern
from penstock.workflow.expressions.convert import same_value_zero, strict_equals
from penstock.workflow.expressions.values import UNDEFINED

Operator = Callable[[Any, Any], bool]
_Make = Callable[[bool], Operator]


def exists(value: Any) -> bool:
    """Whether there is a value: not null, undefined or NaN."""
    is_nan = type(value) is float and math.isnan(value)
    return value is not None and value is not UNDEFINED and not is_nan


def _plain(compare: Operator) -> _Make:
    return lambda _ignores_case: compare


def _negated(make: _Make) -> _Make:
    def made(ignores_case: bool) -> Operator:
        compare = make(ignores_case)
        return lambda left, right: not compare(left, right)

    return made


def _text(value: Any) -> str:
    return value if type(value) is str else ""


def _strings(compare: Callable[[str, str], bool]) -> _Make:
    def made(ignores_case: bool) -> Operator:
        if ignores_case:
            return lambda left, right: compare(_text(left).lower(), _text(right).lower())
        return lambda left, right: compare(_text(left), _text(right))

    return made


def _regex(ignores_case: bool) -> Operator:
    # The pattern keeps its case: lowering it would turn \S into \s.
    if ignores_case:
        return lambda left, right: matches_pattern(_text(right), _text(left).lower())
    return lambda left, right: matches_pattern(_text(right), _text(left))


def _ordered(compare: Callable[[float, float], bool]) -> _Make:
    return _plain(lambda left, right: compare(_number(left), _number(right)))


def _number(value: Any) -> Any:
    """A number for `<` and `>`: null counts as 0, undefined as NaN, as in JavaScript."""
    if value is None:
        return 0
    return float("nan") if value is UNDEFINED else value


def _moments(compare: Callable[[float, float], bool]) -> _Make:
    return _plain(
        lambda left, right: exists(left) and exists(right) and compare(left, right),
    )


def _contains(ignores_case: bool) -> Operator:
    def contains(left: Any, right: Any) -> bool:
        entries = left if type(left) is list else []
        if ignores_case and type(right) is str:
            wanted = right.lower()
            return any(type(entry) is str and entry.lower() == wanted for entry in entries)
        return any(same_value_zero(entry, right) for entry in entries)

    return contains


def _length(compare: Callable[[int, Any], bool]) -> _Make:
    return _plain(
        lambda left, right: compare(len(left) if type(left) is list else 0, _number(right))
    )


def _is_empty_object(left: Any, _right: Any) -> bool:
    return not left if type(left) is dict or not exists(left) else True


_exists: _Make = _plain(lambda left, _right: exists(left))
_missing: _Make = _plain(lambda left, _right: not exists(left))
_equal: _Make = _plain(strict_equals)
_string_equal = _strings(lambda left, right: left == right)
_string_empty = _strings(lambda left, _right: not left)
_string_contains = _strings(lambda left, right: right in left)
_string_starts = _strings(lambda left, right: left.startswith(right))
_string_ends = _strings(lambda left, right: left.endswith(right))
_length_equal = _length(lambda length, right: length == right)
_list_empty = _plain(lambda left, _right: not left)
_object_empty = _plain(_is_empty_object)

OPERATORS: dict[str, _Make] = {
    "exists": _exists,
    "notExists": _missing,
    "string:empty": _string_empty,
    "string:notEmpty": _negated(_string_empty),
    "string:equals": _string_equal,
    "string:notEquals": _negated(_string_equal),
    "string:contains": _string_contains,
    "string:notContains": _negated(_string_contains),
    "string:startsWith": _string_starts,
    "string:notStartsWith": _negated(_string_starts),
    "string:endsWith": _string_ends,
    "string:notEndsWith": _negated(_string_ends),
    "string:regex": _regex,
    "string:notRegex": _negated(_regex),
    "number:empty": _missing,
    "number:notEmpty": _exists,
    "number:equals": _equal,
    "number:notEquals": _negated(_equal),
    "number:gt": _ordered(lambda left, right: left > right),
    "number:lt": _ordered(lambda left, right: left < right),
    "number:gte": _ordered(lambda left, right: left >= right),
    "number:lte": _ordered(lambda left, right: left <= right),
    "dateTime:empty": _missing,
    "dateTime:notEmpty": _exists,
    "dateTime:equals": _moments(lambda left, right: left == right),
    "dateTime:notEquals": _moments(lambda left, right: left != right),
    "dateTime:after": _moments(lambda left, right: left > right),
    "dateTime:before": _moments(lambda left, right: left < right),
    "dateTime:afterOrEquals": _moments(lambda left, right: left >= right),
    "dateTime:beforeOrEquals": _moments(lambda left, right: left <= right),
    "boolean:empty": _missing,
    "boolean:notEmpty": _exists,
    "boolean:true": _plain(lambda left, _right: left is True),
    "boolean:false": _plain(lambda left, _right: left is not True),
    "boolean:equals": _equal,
    "boolean:notEquals": _negated(_equal),
    "array:contains": _contains,
    "array:notContains": _negated(_contains),
    "array:lengthEquals": _length_equal,
    "array:lengthNotEquals": _negated(_length_equal),
    "array:lengthGt": _length(lambda length, right: length > right),
    "array:lengthLt": _length(lambda length, right: length < right),
    "array:lengthGte": _length(lambda length, right: length >= right),
    "array:lengthLte": _length(lambda length, right: length <= right),
    "array:empty": _list_empty,
    "array:notEmpty": _negated(_list_empty),
    "object:empty": _object_empty,
    "object:notEmpty": _negated(_object_empty),
}
