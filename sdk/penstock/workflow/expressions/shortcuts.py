"""n8n's free functions: `$if`, `$ifEmpty`, `$min`, `numberList`, `$jmespath`, ..."""

import math
import re
from collections.abc import Callable
from typing import Any

import jmespath
import jmespath.exceptions

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import is_missing, to_number, to_string, truthy
from penstock.workflow.expressions.errors import ExpressionError, extension_error
from penstock.workflow.expressions.json_text import to_json
from penstock.workflow.expressions.members import argument, property_key
from penstock.workflow.expressions.numbers import is_number, tidy
from penstock.workflow.expressions.values import UNDEFINED, JsFunction

Shortcut = Callable[[Context, list[Any]], Any]
_AI_KEY = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")


def _if(context: Context, arguments: list[Any]) -> Any:
    return argument(arguments, 1) if truthy(argument(arguments, 0)) else argument(arguments, 2)


def is_empty(value: Any) -> bool:
    """n8n's emptiness: undefined, null, "", [] and {}."""
    return is_missing(value) or (isinstance(value, (str, list, dict)) and not value)


def _if_empty(context: Context, arguments: list[Any]) -> Any:
    value = argument(arguments, 0)
    return argument(arguments, 1) if is_empty(value) else value


def _flat_numbers(arguments: list[Any]) -> list[float]:
    return [to_number(value) for value in arguments]


def _extreme(pick: Callable[[list[float]], float], empty: float) -> Shortcut:
    def apply(context: Context, arguments: list[Any]) -> float:
        numbers = _flat_numbers(arguments)
        if any(number != number for number in numbers):
            return math.nan
        return pick(numbers) if numbers else empty

    return apply


def average(values: list[Any]) -> float:
    """The mean of numbers; throws for others."""
    if not all(is_number(value) for value in values):
        raise extension_error("average(): all array elements must be numbers")
    return tidy(sum(values) / len(values)) if values else 0


def _average(context: Context, arguments: list[Any]) -> float:
    return average(arguments)


def _number_list(context: Context, arguments: list[Any]) -> list[int]:
    first, last = argument(arguments, 0), argument(arguments, 1)
    if not is_number(first) or not is_number(last):
        raise extension_error("numberList(): expected two numbers")
    size = abs(int(last) - int(first)) + 1
    context.charge(size * 8)
    step = 1 if last >= first else -1
    return list(range(int(first), int(last) + step, step))


def _zip(context: Context, arguments: list[Any]) -> dict[str, Any]:
    keys, values = argument(arguments, 0), argument(arguments, 1)
    if not isinstance(keys, list) or not isinstance(values, list):
        raise extension_error("keys and values must be arrays")
    if len(keys) != len(values):
        raise extension_error("keys and values not of equal length")
    return {property_key(key): value for key, value in zip(keys, values, strict=True)}


def _jmespath(context: Context, arguments: list[Any]) -> Any:
    data, query = argument(arguments, 0), argument(arguments, 1)
    if not isinstance(data, (dict, list)) or type(query) is not str:
        raise ExpressionError("expected two arguments (Object, string) for this function")
    context.charge(len(query) * 64)
    try:
        return jmespath.search(query, to_json(data))
    except jmespath.exceptions.JMESPathError as error:
        raise ExpressionError(str(error)) from error


def _from_ai(context: Context, arguments: list[Any]) -> Any:
    key = argument(arguments, 0)
    if type(key) is not str or not _AI_KEY.match(key):
        raise ExpressionError("Add a key, e.g. $fromAI('placeholder_name')")
    given = context.scope.variables.get("$fromAI")
    if isinstance(given, dict) and key in given:
        return given[key]
    return argument(arguments, 3)


def _provided(name: str, call: Shortcut) -> Callable[[Context], JsFunction]:
    def provide(context: Context) -> JsFunction:
        return JsFunction(name, lambda this, arguments: call(context, arguments))

    return provide


def _not(context: Context, arguments: list[Any]) -> bool:
    return not truthy(argument(arguments, 0))


_FUNCTIONS: dict[str, Shortcut] = {
    "$if": _if,
    "$ifEmpty": _if_empty,
    "$min": _extreme(min, math.inf),
    "$max": _extreme(max, -math.inf),
    "$average": _average,
    "$not": _not,
    "min": _extreme(min, math.inf),
    "max": _extreme(max, -math.inf),
    "average": _average,
    "not": _not,
    "numberList": _number_list,
    "zip": _zip,
    "$jmespath": _jmespath,
    "$jmesPath": _jmespath,
    "$fromAI": _from_ai,
    "$fromAi": _from_ai,
    "$fromai": _from_ai,
}

SHORTCUTS: dict[str, Callable[[Context], Any]] = {
    name: _provided(name, call) for name, call in _FUNCTIONS.items()
}

__all__ = ["SHORTCUTS", "UNDEFINED", "average", "is_empty", "to_string"]
