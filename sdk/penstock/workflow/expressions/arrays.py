"""The methods of JavaScript arrays."""

from functools import cmp_to_key
from typing import Any

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import (
    is_missing,
    join,
    same_value_zero,
    strict_equals,
    to_integer,
    to_number,
    to_string,
    truthy,
)
from penstock.workflow.expressions.errors import throw_type
from penstock.workflow.expressions.iteration import JsIterator, callback
from penstock.workflow.expressions.members import METHODS, PROPERTIES, argument, get_named
from penstock.workflow.expressions.regexp import MatchArray
from penstock.workflow.expressions.values import UNDEFINED, Native


def _map(context: Context, this: list[Any], arguments: list[Any]) -> list[Any]:
    call = callback(argument(arguments, 0)).call
    return [call(UNDEFINED, [value, index, this]) for index, value in enumerate(list(this))]


def _filter(context: Context, this: list[Any], arguments: list[Any]) -> list[Any]:
    call = callback(argument(arguments, 0)).call
    return [
        value
        for index, value in enumerate(list(this))
        if truthy(call(UNDEFINED, [value, index, this]))
    ]


def _for_each(context: Context, this: list[Any], arguments: list[Any]) -> Any:
    _map(context, this, arguments)
    return UNDEFINED


def _find_at(this: list[Any], arguments: list[Any], *, last: bool = False) -> int:
    call = callback(argument(arguments, 0)).call
    order = range(len(this) - 1, -1, -1) if last else range(len(this))
    for index in order:
        if index < len(this) and truthy(call(UNDEFINED, [this[index], index, this])):
            return index
    return -1


def _find(context: Context, this: list[Any], arguments: list[Any]) -> Any:
    index = _find_at(this, arguments)
    return this[index] if index >= 0 else UNDEFINED


def _find_last(context: Context, this: list[Any], arguments: list[Any]) -> Any:
    index = _find_at(this, arguments, last=True)
    return this[index] if index >= 0 else UNDEFINED


def _some(context: Context, this: list[Any], arguments: list[Any]) -> bool:
    return _find_at(this, arguments) >= 0


def _every(context: Context, this: list[Any], arguments: list[Any]) -> bool:
    call = callback(argument(arguments, 0)).call
    return all(
        truthy(call(UNDEFINED, [value, index, this])) for index, value in enumerate(list(this))
    )


def _reduce(context: Context, this: list[Any], arguments: list[Any]) -> Any:
    return _fold(list(enumerate(this)), this, arguments)


def _reduce_right(context: Context, this: list[Any], arguments: list[Any]) -> Any:
    return _fold(list(enumerate(this))[::-1], this, arguments)


def _fold(pairs: list[tuple[int, Any]], this: list[Any], arguments: list[Any]) -> Any:
    call = callback(argument(arguments, 0)).call
    if len(arguments) > 1:
        result = arguments[1]
    elif pairs:
        result = pairs.pop(0)[1]
    else:
        throw_type("Reduce of empty array with no initial value")
    for index, value in pairs:
        result = call(UNDEFINED, [result, value, index, this])
    return result


def compare_default(a: Any, b: Any) -> int:
    """The order of `sort()` without a comparison: by string, undefined last."""
    if a is UNDEFINED or b is UNDEFINED:
        return (a is UNDEFINED) - (b is UNDEFINED)
    left, right = to_string(a), to_string(b)
    if not (left.isascii() or right.isascii()):
        x = left.encode("utf-16-be", "surrogatepass")
        y = right.encode("utf-16-be", "surrogatepass")
        return (x > y) - (x < y)
    return (left > right) - (left < right)


def sorted_values(this: list[Any], arguments: list[Any]) -> list[Any]:
    """A sorted copy; stable, undefined last."""
    given = argument(arguments, 0)
    if given is UNDEFINED:
        return sorted(this, key=cmp_to_key(compare_default))
    call = callback(given).call

    def compare(a: Any, b: Any) -> int:
        order = to_number(call(UNDEFINED, [a, b]))
        return 1 if order > 0 else -1 if order < 0 else 0

    present = [value for value in this if value is not UNDEFINED]
    present.sort(key=cmp_to_key(compare))
    return present + [UNDEFINED] * (len(this) - len(present))


def _sort(context: Context, this: list[Any], arguments: list[Any]) -> list[Any]:
    context.charge(len(this) * 16)
    this[:] = sorted_values(list(this), arguments)
    return this


def _to_sorted(context: Context, this: list[Any], arguments: list[Any]) -> list[Any]:
    context.charge(len(this) * 16)
    return sorted_values(this, arguments)


def _reverse(context: Context, this: list[Any], arguments: list[Any]) -> list[Any]:
    this.reverse()
    return this


def _flatten(context: Context, values: list[Any], depth: float) -> list[Any]:
    flat: list[Any] = []
    for value in values:
        if isinstance(value, list) and depth >= 1:
            flat.extend(_flatten(context, value, depth - 1))
        else:
            flat.append(value)
    context.charge(len(flat) * 8)
    return flat


def _flat(context: Context, this: list[Any], arguments: list[Any]) -> list[Any]:
    depth = argument(arguments, 0)
    return _flatten(context, this, 1 if depth is UNDEFINED else to_number(depth))


def _flat_map(context: Context, this: list[Any], arguments: list[Any]) -> list[Any]:
    return _flatten(context, _map(context, this, arguments), 1)


def _slice(context: Context, this: list[Any], arguments: list[Any]) -> list[Any]:
    size = len(this)
    start = _position(argument(arguments, 0), 0, size)
    return list(this[start : _position(argument(arguments, 1), size, size)])


def _position(value: Any, default: int, size: int) -> int:
    index = to_integer(value, default)
    return max(size + index, 0) if index < 0 else min(index, size)


def _splice(context: Context, this: list[Any], arguments: list[Any]) -> list[Any]:
    if not arguments:
        return []
    start = _position(arguments[0], 0, len(this))
    count = to_integer(arguments[1]) if len(arguments) > 1 else len(this)
    end = start + min(max(count, 0), len(this) - start)
    removed = this[start:end]
    this[start:end] = arguments[2:]
    return removed


def _to_spliced(context: Context, this: list[Any], arguments: list[Any]) -> list[Any]:
    copy = list(this)
    _splice(context, copy, arguments)
    return copy


def _with(context: Context, this: list[Any], arguments: list[Any]) -> list[Any]:
    copy = list(this)
    copy[to_integer(argument(arguments, 0))] = argument(arguments, 1)
    return copy


def _push(context: Context, this: list[Any], arguments: list[Any]) -> int:
    this.extend(arguments)
    context.charge(len(arguments) * 8)
    return len(this)


def _pop(context: Context, this: list[Any], arguments: list[Any]) -> Any:
    return this.pop() if this else UNDEFINED


def _shift(context: Context, this: list[Any], arguments: list[Any]) -> Any:
    return this.pop(0) if this else UNDEFINED


def _unshift(context: Context, this: list[Any], arguments: list[Any]) -> int:
    this[0:0] = arguments
    context.charge(len(arguments) * 8)
    return len(this)


def _join(context: Context, this: list[Any], arguments: list[Any]) -> str:
    separator = argument(arguments, 0)
    text = join(this, "," if separator is UNDEFINED else to_string(separator))
    context.charge(len(text))
    return text


def _concat(context: Context, this: list[Any], arguments: list[Any]) -> list[Any]:
    values = list(this)
    for value in arguments:
        if isinstance(value, list):
            values.extend(value)
        else:
            values.append(value)
    context.charge(len(values) * 8)
    return values


def _includes(context: Context, this: list[Any], arguments: list[Any]) -> bool:
    sought = argument(arguments, 0)
    return any(same_value_zero(value, sought) for value in this)


def _index_of(context: Context, this: list[Any], arguments: list[Any]) -> int:
    sought = argument(arguments, 0)
    start = _position(argument(arguments, 1), 0, len(this))
    for index in range(start, len(this)):
        if strict_equals(this[index], sought):
            return index
    return -1


def _last_index_of(context: Context, this: list[Any], arguments: list[Any]) -> int:
    sought = argument(arguments, 0)
    for index in range(len(this) - 1, -1, -1):
        if strict_equals(this[index], sought):
            return index
    return -1


def _at(context: Context, this: list[Any], arguments: list[Any]) -> Any:
    index = to_integer(argument(arguments, 0))
    return this[index] if -len(this) <= index < len(this) else UNDEFINED


def _fill(context: Context, this: list[Any], arguments: list[Any]) -> list[Any]:
    start = _position(argument(arguments, 1), 0, len(this))
    for index in range(start, _position(argument(arguments, 2), len(this), len(this))):
        this[index] = argument(arguments, 0)
    return this


def _to_locale_string(context: Context, this: list[Any], arguments: list[Any]) -> str:
    from penstock.workflow.expressions.members import call_method

    return ",".join(
        ""
        if is_missing(value)
        else to_string(call_method(context, value, "toLocaleString", arguments))
        for value in this
    )


def _has_own(context: Context, this: list[Any], arguments: list[Any]) -> bool:
    name = to_string(argument(arguments, 0))
    return name == "length" or (name.isdigit() and int(name) < len(this))


_ARRAY_METHODS: dict[str, Native] = {
    "map": _map,
    "filter": _filter,
    "forEach": _for_each,
    "find": _find,
    "findLast": _find_last,
    "findIndex": lambda context, this, arguments: _find_at(this, arguments),
    "findLastIndex": lambda context, this, arguments: _find_at(this, arguments, last=True),
    "some": _some,
    "every": _every,
    "reduce": _reduce,
    "reduceRight": _reduce_right,
    "sort": _sort,
    "toSorted": _to_sorted,
    "reverse": _reverse,
    "toReversed": lambda context, this, arguments: this[::-1],
    "flat": _flat,
    "flatMap": _flat_map,
    "slice": _slice,
    "splice": _splice,
    "toSpliced": _to_spliced,
    "with": _with,
    "push": _push,
    "pop": _pop,
    "shift": _shift,
    "unshift": _unshift,
    "join": _join,
    "concat": _concat,
    "includes": _includes,
    "indexOf": _index_of,
    "lastIndexOf": _last_index_of,
    "at": _at,
    "fill": _fill,
    "toString": lambda context, this, arguments: to_string(this),
    "toLocaleString": _to_locale_string,
    "keys": lambda context, this, arguments: JsIterator(list(range(len(this)))),
    "values": lambda context, this, arguments: JsIterator(list(this)),
    "entries": lambda context, this, arguments: JsIterator(
        [[index, value] for index, value in enumerate(this)]
    ),
    "hasOwnProperty": _has_own,
}
METHODS[list].update(_ARRAY_METHODS)
METHODS[MatchArray] = METHODS[list]


def _match_properties(context: Context, this: MatchArray, name: str) -> Any:
    if name == "index":
        return this.position
    if name == "input":
        return this.input
    if name == "groups":
        return this.groups or UNDEFINED
    return get_named(context, list(this), name) if name == "length" or name.isdigit() else UNDEFINED


def _next(context: Context, this: JsIterator, arguments: list[Any]) -> dict[str, Any]:
    if this.position >= len(this.values):
        return {"value": UNDEFINED, "done": True}
    this.position += 1
    return {"value": this.values[this.position - 1], "done": False}


def _remaining(native: Native) -> Native:
    def apply(context: Context, this: JsIterator, arguments: list[Any]) -> Any:
        return native(context, this.values[this.position :], arguments)

    return apply


PROPERTIES[MatchArray] = _match_properties
PROPERTIES[JsIterator] = lambda context, value, name: UNDEFINED
METHODS[JsIterator] = {
    "next": _next,
    "toArray": _remaining(lambda context, this, arguments: list(this)),
    **{
        name: _remaining(_ARRAY_METHODS[name])
        for name in ("map", "filter", "forEach", "find", "some", "every", "reduce")
    },
}
