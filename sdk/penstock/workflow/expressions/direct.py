"""Resolvers that need no evaluation: `$json.a.b`, `$('X').item.json.n + 1`, `Hello {{ $json.a }}!`.

Most expressions read a field of an item, and many of the rest do one thing with it. Such a one
becomes a closure over (scope, item index) that goes straight to the data, with no context, frame
or budget around it. It covers plain values of the expected types only. For anything else it gives
`UNUSUAL`, and the general closure answers, so the answers are the same, only sooner.
"""

from collections.abc import Callable
from typing import Any

from tree_sitter import Node

from penstock.workflow.expressions.errors import ExpressionError
from penstock.workflow.expressions.lineage import paired_item
from penstock.workflow.expressions.members import METHODS
from penstock.workflow.expressions.numbers import MAX_SAFE
from penstock.workflow.expressions.parser import named, string_value, text_of
from penstock.workflow.expressions.paths import Keys, chain, item_keys, json_keys
from penstock.workflow.expressions.values import UNDEFINED
from penstock.workflow.plan import Resolver
from penstock.workflow.scope import Scope

Direct = Callable[[Scope, int], Any]

UNUSUAL: Any = object()
"""What a direct closure gives when the general one has to answer."""

_TEXT_MAX = 1_024


def direct_resolver(node: Node, general: Resolver) -> Resolver | None:
    """A resolver for one expression, or `None` when it is not simple enough."""
    made = None if node.type in _LITERALS else direct(node)
    return None if made is None else _or_general(made, general)


def direct_text(parts: list[str | Node], general: Resolver) -> Resolver | None:
    """A resolver for text with simple expressions in it, or `None` when one of them is not."""
    found = [_constant(part) if isinstance(part, str) else direct(part) for part in parts]
    texts = [part for part in found if part is not None]
    return _or_general(_joined(texts), general) if len(texts) == len(found) else None


def _or_general(made: Direct, general: Resolver) -> Resolver:
    def resolve(scope: Scope, index: int) -> Any:
        try:
            value = made(scope, index)
        except ExpressionError:
            value = UNUSUAL
        return general(scope, index) if value is UNUSUAL else value

    return resolve


def direct(node: Node) -> Direct | None:
    """The closure of a simple expression that changes no data, or `None`."""
    if node.type == "number" and text_of(node).isdigit() and len(text_of(node)) < len("9" * 16):
        return _constant(int(text_of(node)))
    if node.type == "string":
        return _constant(string_value(node))
    if node.type == "parenthesized_expression":
        return direct(named(node)[0])
    if node.type == "binary_expression":
        return _binary(node)
    if any(child.type == "optional_chain" for child in chain(node)):
        return None
    item = item_keys(node)
    if item is not None and item[1]:
        return _item_walker(*item)
    keys = json_keys(node)
    return walker(keys) if keys else None


_LITERALS = frozenset({"number", "string"})


def _constant(value: Any) -> Direct:
    return lambda _scope, _index: value


def _binary(node: Node) -> Direct | None:
    sides = node.child_by_field_name("left"), node.child_by_field_name("right")
    symbol = node.child_by_field_name("operator")
    make = _BINARY.get(symbol.type) if symbol is not None else None
    left, right = (None if side is None else direct(side) for side in sides)
    return None if make is None or left is None or right is None else make(left, right)


def _add(left: Direct, right: Direct) -> Direct:
    def add(scope: Scope, index: int) -> Any:
        a, b = left(scope, index), right(scope, index)
        if type(a) is int and type(b) is int:
            total = a + b
            return total if -MAX_SAFE <= total <= MAX_SAFE else UNUSUAL
        one, other = _text(a), _text(b)
        if one is None or other is None or len(one) + len(other) > _TEXT_MAX:
            return UNUSUAL
        text = one + other
        return text if text.isascii() else UNUSUAL

    return add


def _text(value: Any) -> str | None:
    """A text, or a whole number as text; `None` for all else."""
    if type(value) is str:
        return value
    return str(value) if type(value) is int and -MAX_SAFE <= value <= MAX_SAFE else None


def _whole(compute: Callable[[int, int], int]) -> Callable[[Direct, Direct], Direct]:
    """Arithmetic on whole numbers, as long as the result is one that JavaScript holds exactly."""

    def make(left: Direct, right: Direct) -> Direct:
        def apply(scope: Scope, index: int) -> Any:
            a, b = left(scope, index), right(scope, index)
            if type(a) is not int or type(b) is not int:
                return UNUSUAL
            made = compute(a, b)
            # Zero may be minus zero there.
            return made if made and -MAX_SAFE <= made <= MAX_SAFE else UNUSUAL

        return apply

    return make


def _comparison(compare: Callable[[Any, Any], bool]) -> Callable[[Direct, Direct], Direct]:
    """A comparison of two whole numbers or two texts."""

    def make(left: Direct, right: Direct) -> Direct:
        def apply(scope: Scope, index: int) -> Any:
            a, b = left(scope, index), right(scope, index)
            kind = type(a)
            if kind is not type(b):
                return UNUSUAL
            if kind is int or (kind is str and a.isascii() and b.isascii()):
                return compare(a, b)
            return UNUSUAL

        return apply

    return make


_BINARY: dict[str, Callable[[Direct, Direct], Direct]] = {
    "+": _add,
    "-": _whole(lambda a, b: a - b),
    "*": _whole(lambda a, b: a * b),
    "===": _comparison(lambda a, b: a == b),
    "!==": _comparison(lambda a, b: a != b),
    "<": _comparison(lambda a, b: a < b),
    ">": _comparison(lambda a, b: a > b),
    "<=": _comparison(lambda a, b: a <= b),
    ">=": _comparison(lambda a, b: a >= b),
}


def _joined(parts: list[Direct]) -> Direct:
    def join(scope: Scope, index: int) -> Any:
        texts = []
        for part in parts:
            text = _text(part(scope, index))
            if text is None:
                return UNUSUAL
            texts.append(text)
        whole = "".join(texts)
        return whole if whole.isascii() else UNUSUAL

    return join


def walker(keys: Keys) -> Direct:
    """A closure that walks plain objects and arrays, and gives up on anything else."""
    if len(keys) == 1 and type(keys[0]) is str and keys[0] not in METHODS[dict]:
        return _walk_one(keys[0])
    steps = _steps(keys)

    def walk(scope: Scope, index: int) -> Any:
        try:
            data = scope.inputs[0][index]["json"]  # type: ignore[index]
        except (IndexError, TypeError):
            return UNUSUAL
        return _descend(data, steps)

    return walk


def _item_walker(name: str, keys: Keys) -> Direct:
    """The same from the item of another node that the current one descends from."""
    steps = _steps(keys)
    return lambda scope, index: _descend(paired_item(scope, name, index), steps)


def _steps(keys: Keys) -> list[tuple[str | int, str, bool]]:
    """Each key, its name, and whether that may be a method."""
    return [(key, str(key), str(key) in METHODS[dict]) for key in keys]


def _descend(value: Any, steps: list[tuple[str | int, str, bool]]) -> Any:
    for key, name, is_method in steps:
        if type(value) is dict:
            found = value.get(name, UNDEFINED)
            if found is UNDEFINED and is_method:
                return UNUSUAL
            value = found
        elif type(value) is list and type(key) is int:
            value = value[key] if key < len(value) else UNDEFINED
        else:
            return UNUSUAL
    return value


def _walk_one(name: str) -> Direct:
    def walk(scope: Scope, index: int) -> Any:
        try:
            data = scope.inputs[0][index]["json"]  # type: ignore[index]
        except (IndexError, TypeError):
            return UNUSUAL
        return data.get(name, UNDEFINED) if type(data) is dict else UNUSUAL

    return walk
