"""Members: what a value has, and what its methods are, looked up in closed tables.

`METHODS` and `PROPERTIES` are filled by the modules of built-ins; a name that is in neither is
`undefined`. No lookup ever reaches an attribute of a Python object, which is what keeps an
expression inside of its data.
"""

from collections.abc import Callable
from typing import Any

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import is_missing, to_string
from penstock.workflow.expressions.errors import JsErrorValue, forbidden, throw_type
from penstock.workflow.expressions.numbers import MAX_SAFE
from penstock.workflow.expressions.text import char_at, text_length
from penstock.workflow.expressions.values import (
    UNDEFINED,
    BigInt,
    HostObject,
    JsConstructor,
    JsFunction,
    JsSymbol,
    Native,
)

FORBIDDEN = frozenset(
    "__proto__ prototype constructor getPrototypeOf setPrototypeOf mainModule binding _load"
    " defineProperty defineProperties prepareStackTrace __lookupGetter__ __lookupSetter__"
    " __defineGetter__ __defineSetter__ caller arguments getBuiltinModule dlopen execve"
    " loadEnvFile getOwnPropertyDescriptor getOwnPropertyDescriptors _linkedBinding".split()
)

METHODS: dict[type, dict[str, Native]] = {dict: {}, list: {}, str: {}}
PROPERTIES: dict[type, Callable[[Context, Any, str], Any]] = {}
"""Properties of a class of values: (context, value, name) to the property or `UNDEFINED`."""

_ABSENT = object()


def method_of(value: Any, name: str) -> Native | None:
    """The built-in method `name` of `value`."""
    table = METHODS.get(type(value))
    if table is not None:
        found = table.get(name)
        if found is not None:
            return found
    return METHODS[dict].get(name) if type(value) is not str else None


def bind(context: Context, value: Any, name: str, native: Native) -> JsFunction:
    """A built-in method as a value of its own."""

    def call(this: Any, arguments: list[Any]) -> Any:
        return native(context, value if is_missing(this) else this, arguments)

    return JsFunction(name, call)


def get_named(context: Context, value: Any, name: str) -> Any:
    """`value.name`, for a name that was checked against `FORBIDDEN` when compiling."""
    kind = type(value)
    if kind is dict:
        found = value.get(name, _ABSENT)
        if found is not _ABSENT:
            return found
    elif kind is list or kind is str:
        if name == "length":
            return len(value) if kind is list else text_length(value)
        if name.isdigit():
            return _element(value, int(name)) if kind is list else char_at(value, int(name))
    elif value is None or value is UNDEFINED:
        throw_type(f"Cannot read properties of {to_string(value)} (reading '{name}')")
    elif kind in PROPERTIES:
        found = PROPERTIES[kind](context, value, name)
        if found is not UNDEFINED:
            return found
    native = method_of(value, name)
    return bind(context, value, name, native) if native else UNDEFINED


def _element(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else UNDEFINED


def property_key(key: Any) -> str:
    """The string that a computed member stands for; refuses names that lead out of the data."""
    name = key if type(key) is str else to_string(key)
    if name in FORBIDDEN:
        raise forbidden(name)
    return name


def get_item(context: Context, value: Any, key: Any) -> Any:
    """`value[key]`."""
    if type(key) is int and key >= 0:
        if type(value) is list:
            return _element(value, key)
        if type(value) is str:
            return char_at(value, key)
    if value is None or value is UNDEFINED:
        throw_type(f"Cannot read properties of {to_string(value)} (reading '{to_string(key)}')")
    if isinstance(key, JsSymbol):
        return UNDEFINED
    return get_named(context, value, property_key(key))


def set_item(context: Context, value: Any, key: Any, item: Any) -> None:
    """`value[key] = item`."""
    if is_missing(value):
        throw_type(f"Cannot set properties of {to_string(value)} (setting '{to_string(key)}')")
    name = property_key(key)
    if type(value) is dict:
        value[name] = item
    elif type(value) is list:
        _set_element(context, value, name, item)
    elif isinstance(value, JsErrorValue):
        value.properties[name] = item


def _set_element(context: Context, values: list[Any], name: str, item: Any) -> None:
    if name == "length" and type(item) is int and 0 <= item <= len(values):
        del values[item:]
    elif name.isdigit():
        index = int(name)
        if index >= len(values):
            context.charge(min(index - len(values), MAX_SAFE) * 8)
            values.extend([UNDEFINED] * (index - len(values) + 1))
        values[index] = item


def delete_item(value: Any, key: Any) -> bool:
    """`delete value[key]`."""
    name = property_key(key)
    if type(value) is dict:
        value.pop(name, None)
    elif type(value) is list and name.isdigit() and int(name) < len(value):
        value[int(name)] = UNDEFINED
    return True


def has_member(context: Context, key: Any, value: Any) -> bool:
    """`key in value`."""
    if type(value) not in (dict, list) and type(value) not in PROPERTIES:
        throw_type(f"Cannot use 'in' operator to search for '{to_string(key)}'")
    name = property_key(key)
    if type(value) is dict and name in value:
        return True
    if type(value) is list and name.isdigit():
        return int(name) < len(value)
    return get_named(context, value, name) is not UNDEFINED


def call_function(function: Any, this: Any, arguments: list[Any], name: str = "value") -> Any:
    """Call `function`, which must be one."""
    if not isinstance(function, JsFunction):
        throw_type(f"{name} is not a function")
    return function.call(this, arguments)


def call_method(context: Context, value: Any, name: str, arguments: list[Any]) -> Any:
    """`value.name(...arguments)`."""
    kind = type(value)
    if kind is dict:
        own = value.get(name)
        if isinstance(own, JsFunction):
            return own.call(value, arguments)
        if name in value:
            throw_type(f"{name} is not a function")
    table = METHODS.get(kind)
    native = table.get(name) if table is not None else None
    if native is not None:
        return native(context, value, arguments)
    if value is None or value is UNDEFINED:
        throw_type(f"Cannot read properties of {to_string(value)} (reading '{name}')")
    return call_function(get_named(context, value, name), value, arguments, name)


def construct(value: Any, arguments: list[Any]) -> Any:
    """`new value(...arguments)`."""
    if isinstance(value, JsConstructor):
        return value.construct(UNDEFINED, arguments)
    return throw_type("value is not a constructor")


def argument(arguments: list[Any], index: int) -> Any:
    """Argument `index`, or undefined."""
    return arguments[index] if index < len(arguments) else UNDEFINED


def _function_properties(context: Context, value: JsFunction, name: str) -> Any:
    if name == "name":
        return value.name
    if name == "length":
        return value.length
    return UNDEFINED


def _constructor_properties(context: Context, value: JsConstructor, name: str) -> Any:
    found = value.statics.get(name, UNDEFINED)
    return found if found is not UNDEFINED else _function_properties(context, value, name)


def _error_properties(context: Context, value: JsErrorValue, name: str) -> Any:
    if name in value.properties:
        return value.properties[name]
    return {"name": value.kind, "message": value.message, "stack": ""}.get(name, UNDEFINED)


def _bind_arguments(context: Context, this: Any, arguments: list[Any]) -> Any:
    bound, rest = argument(arguments, 0), arguments[1:]
    return JsFunction("bound", lambda _, more: this.call(bound, rest + more))


def _apply(context: Context, this: Any, arguments: list[Any]) -> Any:
    given = argument(arguments, 1)
    return this.call(argument(arguments, 0), list(given) if type(given) is list else [])


_FUNCTION_METHODS: dict[str, Native] = {
    "call": lambda context, this, arguments: this.call(argument(arguments, 0), arguments[1:]),
    "apply": _apply,
    "bind": _bind_arguments,
    "toString": lambda context, this, arguments: to_string(this),
}

METHODS[JsFunction] = METHODS[JsConstructor] = _FUNCTION_METHODS
METHODS[JsErrorValue] = {"toString": lambda context, this, arguments: to_string(this)}
METHODS[JsSymbol] = {"toString": lambda context, this, arguments: to_string(this)}
METHODS[BigInt] = {"toString": lambda context, this, arguments: to_string(this)}
PROPERTIES[JsFunction] = _function_properties
PROPERTIES[JsConstructor] = _constructor_properties
PROPERTIES[JsErrorValue] = _error_properties
PROPERTIES[JsSymbol] = lambda context, value, name: (
    value.description if name == "description" else UNDEFINED
)
PROPERTIES[HostObject] = lambda context, value, name: value.get(name)
