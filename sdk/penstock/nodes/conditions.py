"""The filter value: conditions joined by and/or, as If, Filter and Switch have them from v2 on.

`prepare` turns a raw filter into a test of one item. What the operator, the type and the
validation mean is decided once; per item only both sides are resolved, converted and compared.
All sides are resolved before anything is compared, so an expression that fails does so even
behind a condition that already decided, as in n8n.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from penstock.nodes.field_types import ACCEPT, INVALID, Converter, as_boolean
from penstock.nodes.moments import parse_moment
from penstock.nodes.operators import OPERATORS, Operator
from penstock.sdk.call import NodeError
from penstock.sdk.parameters import as_object, has_expressions, leaf, settle, settle_deep
from penstock.workflow.expressions.convert import to_string, truthy, typeof
from penstock.workflow.expressions.values import UNDEFINED
from penstock.workflow.plan import Resolver
from penstock.workflow.scope import Scope

Test = Callable[[Scope, int], bool]

_STRICT: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
}


class FilterError(NodeError):
    """A condition whose value is not of the type that it compares."""

    def __init__(self, message: str, item: int) -> None:
        super().__init__(
            message,
            item=item,
            name="FilterError",
            description="Change the condition's type, or let types be converted where required.",
        )


class _Condition(NamedTuple):
    left: Resolver
    right: Resolver
    left_kind: str
    right_kind: str
    left_fits: tuple[type, ...]
    right_fits: tuple[type, ...]
    accept_left: Converter
    accept_right: Converter
    compare: Operator
    takes_one: bool


def prepare(raw: Any) -> Test | None:
    """The test of a raw filter, or `None` when it has to be resolved as a whole for each item."""
    return test_of(raw, leaf) if _is_static(raw) else None


def _is_static(raw: Any) -> bool:
    """Whether expressions stand only in the two sides of conditions."""
    if not is_filter(raw):
        return not has_expressions(raw)
    if has_expressions(raw.get("options")) or has_expressions(raw["combinator"]):
        return False
    return all(
        isinstance(condition, dict) and not has_expressions(condition.get("operator"))
        for condition in raw["conditions"]
    )


def is_filter(value: Any) -> bool:
    """Whether a value has the shape of a filter; what has not counts as passed."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("conditions"), list)
        and isinstance(value.get("combinator"), str)
    )


def resolved(value: Any) -> Test:
    """The test of a filter that was resolved as a whole: nothing in it is an expression now."""
    return test_of(settle_deep(value), _constant)


def _constant(value: Any) -> Resolver:
    return lambda _scope, _item: value


def test_of(raw: Any, side: Callable[[Any], Resolver]) -> Test:
    """The test of a filter; `side` makes the resolver of one side of a condition."""
    if not is_filter(raw):
        passes = truthy(raw)
        return lambda _scope, _item: passes
    options = raw.get("options")
    if not isinstance(options, dict):
        return _broken
    conditions = [_condition(as_object(entry), options, side) for entry in raw["conditions"]]
    is_strict = options.get("typeValidation") == "strict"
    if raw["combinator"] not in ("and", "or"):
        return lambda _scope, _item: False
    if len(conditions) == 1:
        return _test_one(conditions[0], is_strict=is_strict)
    return _test_many(conditions, is_and=raw["combinator"] == "and", is_strict=is_strict)


def _broken(_scope: Scope, item: int) -> bool:
    message = "Cannot read properties of undefined (reading 'caseSensitive')"
    raise NodeError(message, item=item, name="TypeError")


def _condition(
    entry: dict[str, Any], options: dict[str, Any], side: Callable[[Any], Resolver]
) -> _Condition:
    operator = as_object(entry.get("operator"))
    kind = str(operator.get("type"))
    right_kind = str(operator.get("rightType") or kind)
    is_strict = options.get("typeValidation") == "strict"
    version = options.get("version")
    version = version if isinstance(version, int | float) else 1
    return _Condition(
        left=side(entry["leftValue"]) if "leftValue" in entry else _undefined,
        right=side(entry["rightValue"]) if "rightValue" in entry else _undefined,
        left_kind=kind,
        right_kind=right_kind,
        left_fits=_STRICT.get(kind, ()),
        right_fits=_STRICT.get(right_kind, ()),
        accept_left=_acceptor(kind, is_strict=is_strict, version=version),
        accept_right=_acceptor(right_kind, is_strict=is_strict, version=version),
        compare=_operator(kind, str(operator.get("operation")), options),
        takes_one=bool(operator.get("singleValue")),
    )


def _undefined(_scope: Scope, _item: int) -> Any:
    return UNDEFINED


def _operator(kind: str, operation: str, options: dict[str, Any]) -> Operator:
    ignores_case = not options.get("caseSensitive")
    if operation in ("exists", "notExists"):
        return OPERATORS[operation](ignores_case)
    make = OPERATORS.get(f"{kind}:{operation}")
    return make(ignores_case) if make is not None else _never


def _never(_left: Any, _right: Any) -> bool:
    return False


def _acceptor(kind: str, *, is_strict: bool, version: float) -> Converter:
    """How a side that is not null becomes a value of the type, or `INVALID`."""
    if kind == "boolean" and not is_strict:
        return _loose_boolean if version >= 2 else truthy
    accept = ACCEPT.get(kind)
    if accept is None:
        return lambda value: value
    if not is_strict:
        return _loose_number if kind == "number" else accept
    if kind == "object":
        return lambda value: accept(value) if typeof(value) == "object" else INVALID
    fits = _STRICT[kind]
    return lambda value: value if type(value) in fits else INVALID


def _loose_boolean(value: Any) -> bool:
    made = as_boolean(value)
    return truthy(value) if made is INVALID else bool(made)


def _loose_number(value: Any) -> Any:
    if type(value) is float:
        return value  # NaN too: it is a number that exists nowhere
    return ACCEPT["number"](value)


def _test_one(condition: _Condition, *, is_strict: bool) -> Test:
    left_of, right_of, compare = condition.left, condition.right, condition.compare
    left_fits, right_fits = condition.left_fits, condition.right_fits

    def test(scope: Scope, item: int) -> bool:
        left, right = left_of(scope, item), right_of(scope, item)
        if type(left) in left_fits and type(right) in right_fits:
            return compare(left, right)
        place = _Place(0, item, is_strict, scope.plan.timezone)
        return _evaluate(condition, settle(left), settle(right), place)

    return test


def _test_many(conditions: list[_Condition], *, is_and: bool, is_strict: bool) -> Test:
    def test(scope: Scope, item: int) -> bool:
        sides = [(entry.left(scope, item), entry.right(scope, item)) for entry in conditions]
        for index, (condition, (left, right)) in enumerate(zip(conditions, sides, strict=True)):
            place = _Place(index, item, is_strict, scope.plan.timezone)
            if _evaluate(condition, settle(left), settle(right), place) is not is_and:
                return not is_and
        return is_and

    return test


class _Place(NamedTuple):
    """Where a condition is evaluated."""

    number: int
    item: int
    is_strict: bool
    timezone: str


def _evaluate(condition: _Condition, left: Any, right: Any, place: _Place) -> bool:
    made_left = _made(condition.left_kind, condition.accept_left, left, place)
    made_right = _made(condition.right_kind, condition.accept_right, right, place)
    if condition.takes_one and made_right is INVALID:
        made_right = None
    if made_left is not INVALID and made_right is not INVALID:
        return condition.compare(made_left, made_right)
    message = _mismatch(condition, (left, made_left), (right, made_right), place)
    raise FilterError(message, place.item)


def _made(kind: str, accept: Converter, value: Any, place: _Place) -> Any:
    """One side in its type. Null and undefined belong to every type."""
    if value is None or value is UNDEFINED:
        return value
    return parse_moment(value, place.timezone) if kind == "dateTime" else accept(value)


def _mismatch(
    condition: _Condition,
    left: tuple[Any, Any],
    right: tuple[Any, Any],
    place: _Place,
) -> str:
    both_wrong = left[1] is INVALID and right[1] is INVALID
    if both_wrong and typeof(left[0]) == typeof(right[0]):
        expected, found = _article(condition.left_kind), _article(typeof(left[0]))
        return f"Comparison type expects {expected} but both fields are {found}"
    value, kind = (
        (left[0], condition.left_kind) if left[1] is INVALID else (right[0], condition.right_kind)
    )
    found = typeof(value)
    where = f"[condition {place.number}, item {place.item}]"
    if place.is_strict:
        is_a, expected = _article(found), _article(kind)
        return f"Wrong type: '{to_string(value)}' is {is_a} but was expecting {expected} {where}"
    text = to_string(value)
    return f"Conversion error: the {found} '{text}' can't be converted to {_article(kind)} {where}"


def _article(word: str) -> str:
    return f"{'an' if word[:1] in 'aeiou' else 'a'} {word}"
