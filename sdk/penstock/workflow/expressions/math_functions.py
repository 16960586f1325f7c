"""`Math`: its functions and constants."""

import math
import random
from collections.abc import Callable
from typing import Any

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import to_number
from penstock.workflow.expressions.members import argument
from penstock.workflow.expressions.numbers import tidy
from penstock.workflow.expressions.operators import BINARY
from penstock.workflow.expressions.values import Native


def _math(compute: Callable[[float], float]) -> Native:
    def apply(context: Context, this: Any, arguments: list[Any]) -> float:
        number = to_number(argument(arguments, 0))
        try:
            return tidy(compute(number))
        except OverflowError:
            return number if not math.isfinite(number) else math.inf
        except ValueError:
            return math.nan if math.isfinite(number) or number != number else number

    return apply


def round_half_up(number: float) -> float:
    """`Math.round`: halves go up, also below zero."""
    if not math.isfinite(number) or type(number) is int:
        return number
    floor = math.floor(number)
    return floor + 1 if number - floor >= 0.5 else floor


def _extreme(pick: Callable[[list[float]], float], empty: float) -> Native:
    def apply(context: Context, this: Any, arguments: list[Any]) -> float:
        numbers = [to_number(value) for value in arguments]
        if any(number != number for number in numbers):
            return math.nan
        return pick(numbers) if numbers else empty

    return apply


def _power(context: Context, this: Any, arguments: list[Any]) -> Any:
    return BINARY["**"](argument(arguments, 0), argument(arguments, 1))


def _hypot(context: Context, this: Any, arguments: list[Any]) -> float:
    return tidy(math.hypot(*(to_number(value) for value in arguments)))


def _atan2(context: Context, this: Any, arguments: list[Any]) -> float:
    return tidy(math.atan2(to_number(argument(arguments, 0)), to_number(argument(arguments, 1))))


def _random(context: Context, this: Any, arguments: list[Any]) -> float:
    # Seeded by the scope, so that an expression gives the same on replay and in any process.
    context.steps -= 1
    return random.Random(f"{context.scope.random_seed}/{context.index}/{context.steps}").random()


def _truncated(number: float) -> float:
    return number if not math.isfinite(number) else math.trunc(number)


def _sign(number: float) -> float:
    return number if number != number or number == 0 else math.copysign(1.0, number)


def _cube_root(number: float) -> float:
    return math.copysign(round(abs(number) ** (1 / 3), 12), number)


def _floored(compute: Callable[[float], int]) -> Callable[[float], float]:
    return lambda number: compute(number) if math.isfinite(number) else number


def _logarithm(compute: Callable[[float], float]) -> Callable[[float], float]:
    return lambda number: -math.inf if number == 0 else compute(number)


MATH: dict[str, Native] = {
    "abs": _math(abs),
    "floor": _math(_floored(math.floor)),
    "ceil": _math(_floored(math.ceil)),
    "round": _math(round_half_up),
    "trunc": _math(_truncated),
    "sign": _math(_sign),
    "sqrt": _math(math.sqrt),
    "cbrt": _math(_cube_root),
    "exp": _math(math.exp),
    "log": _math(_logarithm(math.log)),
    "log2": _math(_logarithm(math.log2)),
    "log10": _math(_logarithm(math.log10)),
    "log1p": _math(math.log1p),
    "sin": _math(math.sin),
    "cos": _math(math.cos),
    "tan": _math(math.tan),
    "asin": _math(math.asin),
    "acos": _math(math.acos),
    "atan": _math(math.atan),
    "atan2": _atan2,
    "max": _extreme(max, -math.inf),
    "min": _extreme(min, math.inf),
    "pow": _power,
    "hypot": _hypot,
    "random": _random,
}
MATH_CONSTANTS = {
    "PI": math.pi,
    "E": math.e,
    "LN2": math.log(2),
    "LN10": math.log(10),
    "SQRT2": math.sqrt(2),
}
