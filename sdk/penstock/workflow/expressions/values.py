"""The values of the expression language that plain JSON data has no word for.

A JavaScript value is represented by: `UNDEFINED`, `None` (null), `bool`, `int` and `float`
(numbers; both are one type to the language), `str`, `list`, `dict`, or an instance of a class
here or in `dates`. Nothing else is ever reachable from an expression: what a value can do is
looked up in closed tables (`members`), never on the Python object.
"""

from collections.abc import Callable
from typing import Any, Final

Frame = list[Any]
"""Variables of one JavaScript function call: [context, outer frame, variable, ...]."""

Native = Callable[[Any, Any, list[Any]], Any]
"""A built-in method: (context, this, arguments) to its result."""


class Undefined:
    """The one `undefined`."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED: Final = Undefined()


class JsFunction:
    """Anything that can be called. `call` takes (this, arguments)."""

    __slots__ = ("call", "length", "name")

    def __init__(self, name: str, call: Callable[[Any, list[Any]], Any], length: int = 0) -> None:
        self.name = name
        self.call = call
        self.length = length


class JsConstructor(JsFunction):
    """A global class: callable, constructible, with static members and an instance test."""

    __slots__ = ("construct", "is_instance", "statics")

    def __init__(
        self,
        name: str,
        *,
        call: Callable[[Any, list[Any]], Any],
        construct: Callable[[Any, list[Any]], Any],
        is_instance: Callable[[Any], bool],
        statics: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(name, call)
        self.construct = construct
        self.is_instance = is_instance
        self.statics = statics or {}


class HostObject:
    """A read-only object whose members are computed by `get` (`UNDEFINED` when it has none)."""

    __slots__ = ("get", "keys", "name")

    def __init__(
        self,
        name: str,
        get: Callable[[str], Any],
        keys: Callable[[], list[str]] | None = None,
    ) -> None:
        self.name = name
        self.get = get
        self.keys = keys or list


class BigInt:
    """A JavaScript BigInt."""

    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BigInt) and other.value == self.value

    def __hash__(self) -> int:
        return hash((BigInt, self.value))


class JsSymbol:
    """A JavaScript Symbol: unequal to everything but itself."""

    __slots__ = ("description",)

    def __init__(self, description: str) -> None:
        self.description = description


class JsMap:
    """A Map (or WeakMap): entries by SameValueZero key, in insertion order."""

    __slots__ = ("entries", "weak")

    def __init__(self, weak: bool = False) -> None:
        self.entries: dict[Any, tuple[Any, Any]] = {}
        self.weak = weak


class JsSet:
    """A Set (or WeakSet)."""

    __slots__ = ("entries", "weak")

    def __init__(self, weak: bool = False) -> None:
        self.entries: dict[Any, Any] = {}
        self.weak = weak


class JsDate:
    """A JavaScript Date: milliseconds since the epoch, or NaN."""

    __slots__ = ("ms",)

    def __init__(self, ms: float) -> None:
        self.ms = ms


def same_value_key(value: Any) -> Any:
    """A hashable stand-in by which SameValueZero-equal values are equal (Map and Set keys)."""
    kind = type(value)
    if kind is str or kind is BigInt:
        return value
    if kind is bool:
        return (bool, value)
    if kind is int or kind is float:
        return ("NaN",) if value != value else float(value)
    if value is None or value is UNDEFINED:
        return (kind,)
    return (object, id(value))
