"""Extension methods of arrays."""

import random
from typing import Any

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import is_missing, strict_equals, to_string, typeof
from penstock.workflow.expressions.errors import extension_error
from penstock.workflow.expressions.extensions_object import compact_object
from penstock.workflow.expressions.json_text import stringify
from penstock.workflow.expressions.members import argument
from penstock.workflow.expressions.numbers import is_number, string_to_number, tidy
from penstock.workflow.expressions.values import UNDEFINED, Native

Values = list[Any]


def deep_equal(a: Any, b: Any) -> bool:
    """Equality by content, of plain data."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(deep_equal(x, y) for x, y in zip(a, b, strict=True))
    if type(a) is dict and type(b) is dict:
        return a.keys() == b.keys() and all(deep_equal(a[name], b[name]) for name in a)
    return strict_equals(a, b) or (a != a and b != b)


def _has(values: Values, sought: Any) -> bool:
    return any(deep_equal(value, sought) for value in values)


def _list_argument(arguments: Values, name: str) -> Values:
    given = argument(arguments, 0)
    if not isinstance(given, list):
        raise extension_error(f"{name}(): expected array arg, e.g. .{name}([1, 2, 3, 4])")
    return given


def _numbers(values: Values, name: str) -> list[float]:
    numbers: list[float] = []
    for value in values:
        number = (
            value if is_number(value) else string_to_number(value) if type(value) is str else None
        )
        if number is None or number != number:
            raise extension_error(f"{name}(): all array elements must be numbers")
        numbers.append(number)
    return numbers


def _sum(context: Context, this: Values, arguments: Values) -> float:
    total: float = 0
    for number in _numbers(this, "sum"):
        total += number
    return tidy(total)


def _average(context: Context, this: Values, arguments: Values) -> float:
    numbers = _numbers(this, "average")
    return tidy(sum(numbers) / len(numbers)) if numbers else 0


def _min(context: Context, this: Values, arguments: Values) -> float:
    return min(_numbers(this, "min"), default=float("inf"))


def _max(context: Context, this: Values, arguments: Values) -> float:
    return max(_numbers(this, "max"), default=float("-inf"))


def _chunk(context: Context, this: Values, arguments: Values) -> Values:
    size = argument(arguments, 0)
    if not is_number(size) or int(size) == 0:
        raise extension_error("chunk(): expected non-zero numeric arg, e.g. .chunk(5)")
    return [this[start : start + int(size)] for start in range(0, len(this), int(size))]


def _compact(context: Context, this: Values, arguments: Values) -> Values:
    kept: Values = []
    for value in this:
        if is_missing(value) or value in ("", "nil"):
            continue
        kept.append(compact_object(value) if type(value) is dict else value)
    return kept


def _difference(context: Context, this: Values, arguments: Values) -> Values:
    other = _list_argument(arguments, "difference")
    kept: Values = []
    for value in this:
        context.step()
        if not _has(other, value) and not _has(kept, value):
            kept.append(value)
    return kept


def _intersection(context: Context, this: Values, arguments: Values) -> Values:
    other = _list_argument(arguments, "intersection")
    kept: Values = []
    for value in this:
        context.step()
        if _has(other, value) and not _has(kept, value):
            kept.append(value)
    return kept


def _union(context: Context, this: Values, arguments: Values) -> Values:
    return _distinct(context, [*this, *_list_argument(arguments, "union")])


def _distinct(context: Context, values: Values) -> Values:
    kept: Values = []
    seen: set[tuple[type, Any]] = set()
    for value in values:
        context.step()
        if type(value) in (str, int):
            if (type(value), value) in seen:
                continue
            seen.add((type(value), value))
            kept.append(value)
        elif not _has(kept, value):
            context.charge(len(kept) * 4)
            kept.append(value)
    return kept


def _unique(context: Context, this: Values, arguments: Values) -> Values:
    names = [to_string(name) for name in arguments]
    if not names:
        return _distinct(context, this)
    kept: Values = []
    seen: Values = []
    for value in this:
        context.step()
        if type(value) is not dict:
            continue
        key = [value.get(name, UNDEFINED) for name in names]
        if not _has(seen, key):
            seen.append(key)
            kept.append(value)
    return kept


def _merge(context: Context, this: Values, arguments: Values) -> dict[str, Any]:
    other = argument(arguments, 0)
    if other is UNDEFINED:
        return _merged(this)
    if not isinstance(other, list):
        raise extension_error("merge(): expected array arg, e.g. .merge([{ id: 1 }])")
    merged: dict[str, Any] = {}
    for index in range(max(len(this), len(other))):
        pair = [values[index] for values in (this, other) if index < len(values)]
        merged.update({k: v for k, v in _merged(pair).items() if k not in merged})
    return merged


def _merged(values: Values) -> dict[str, Any]:
    """All objects in one; the first to name a key wins."""
    merged: dict[str, Any] = {}
    for value in values:
        if type(value) is dict:
            for name, item in value.items():
                merged.setdefault(name, item)
    return merged


def _pluck(context: Context, this: Values, arguments: Values) -> Values:
    names = [to_string(name) for name in arguments]
    if not names:
        raise extension_error("pluck(): expected at least one argument")
    plucked: Values = []
    for value in this:
        if type(value) is not dict:
            continue
        found = [value[name] for name in names if name in value]
        if len(names) == 1:
            plucked.extend(found)
        else:
            plucked.append({name: value.get(name, UNDEFINED) for name in names})
    return plucked


def _random_item(context: Context, this: Values, arguments: Values) -> Any:
    seed = f"{context.scope.random_seed}/{context.index}/{len(this)}"
    return random.Random(seed).choice(this) if this else UNDEFINED


def _rename_keys(context: Context, this: Values, arguments: Values) -> Values:
    names = [to_string(name) for name in arguments]
    if not names or len(names) % 2:
        raise extension_error("renameKeys(): expected an even amount of args: from1, to1 [, ...]")
    renames = dict(zip(names[::2], names[1::2], strict=True))
    return [
        {renames.get(name, name): item for name, item in value.items()}
        if type(value) is dict
        else value
        for value in this
    ]


def _smart_join(context: Context, this: Values, arguments: Values) -> dict[str, Any]:
    key, item = argument(arguments, 0), argument(arguments, 1)
    if type(key) is not str or type(item) is not str or not key or not item:
        raise extension_error(
            'smartJoin(): expected two string args, e.g. .smartJoin("name", "value")'
        )
    return {
        to_string(value[key]): value.get(item, UNDEFINED)
        for value in this
        if type(value) is dict and key in value and item in value
    }


def _reverse(context: Context, this: Values, arguments: Values) -> Values:
    return this[::-1]


def _undefined(context: Context, this: Values, arguments: Values) -> Any:
    return UNDEFINED


def _to_json_string(context: Context, this: Any, arguments: Values) -> Any:
    return stringify(context, UNDEFINED, [this])


ARRAY: dict[str, Native] = {
    "removeDuplicates": _unique,
    "unique": _unique,
    "first": lambda context, this, arguments: this[0] if this else UNDEFINED,
    "last": lambda context, this, arguments: this[-1] if this else UNDEFINED,
    "pluck": _pluck,
    "randomItem": _random_item,
    "sum": _sum,
    "min": _min,
    "max": _max,
    "average": _average,
    "isNotEmpty": lambda context, this, arguments: bool(this),
    "isEmpty": lambda context, this, arguments: not this,
    "compact": _compact,
    "smartJoin": _smart_join,
    "chunk": _chunk,
    "renameKeys": _rename_keys,
    "merge": _merge,
    "mergeIntoObject": _merge,
    "union": _union,
    "difference": _difference,
    "intersection": _intersection,
    "append": lambda context, this, arguments: [*this, *arguments],
    "reverse": _reverse,
    "toJsonString": _to_json_string,
    "toInt": _undefined,
    "toFloat": _undefined,
    "toBoolean": _undefined,
    "toDateTime": _undefined,
}

__all__ = ["ARRAY", "deep_equal", "typeof"]
