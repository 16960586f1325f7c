"""Closures made of closures: lists, sums, and the operators that may skip their right side."""

from collections.abc import Callable
from typing import Any

from penstock.workflow.expressions import operators
from penstock.workflow.expressions.convert import to_string, truthy
from penstock.workflow.expressions.values import UNDEFINED, Frame

Op = Callable[[Frame], Any]


def as_text(op: Op) -> Op:
    def text(frame: Frame) -> str:
        value = op(frame)
        return value if type(value) is str else to_string(value)

    return text


def plain_list(ops: list[Op]) -> Callable[[Frame], list[Any]]:
    if not ops:
        return lambda frame: []
    if len(ops) == 1:
        only = ops[0]
        return lambda frame: [only(frame)]
    if len(ops) == 2:
        first, second = ops
        return lambda frame: [first(frame), second(frame)]
    return lambda frame: [op(frame) for op in ops]


def addition(left: Op, right: Op) -> Op:
    add = operators.add

    def apply(frame: Frame) -> Any:
        total = add(left(frame), right(frame))
        if type(total) is str and len(total) > 1024:
            frame[0].charge(len(total))
        return total

    return apply


def _and(left: Op, right: Op) -> Op:
    def apply(frame: Frame) -> Any:
        value = left(frame)
        return right(frame) if truthy(value) else value

    return apply


def _or(left: Op, right: Op) -> Op:
    def apply(frame: Frame) -> Any:
        value = left(frame)
        return value if truthy(value) else right(frame)

    return apply


def _nullish(left: Op, right: Op) -> Op:
    def apply(frame: Frame) -> Any:
        value = left(frame)
        return right(frame) if value is None or value is UNDEFINED else value

    return apply


SHORT_CIRCUITS: dict[str, Callable[[Op, Op], Op]] = {"&&": _and, "||": _or, "??": _nullish}
