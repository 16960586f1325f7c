"""n8n's extension methods: what values can do beyond JavaScript.

A call of one of these names is decided by the type of the value: the extension of that type
first, then a native method of the same name, then an error that tells where the method exists.
A string that is an ISO date counts as a date.
"""

import re
from typing import Any

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import is_missing, to_string
from penstock.workflow.expressions.dates import DateTime
from penstock.workflow.expressions.errors import JsThrow, extension_error
from penstock.workflow.expressions.extensions_array import ARRAY
from penstock.workflow.expressions.extensions_date import DATE
from penstock.workflow.expressions.extensions_object import OBJECT
from penstock.workflow.expressions.extensions_string import STRING
from penstock.workflow.expressions.extensions_value import BOOLEAN, GENERIC, NUMBER
from penstock.workflow.expressions.js_date import parse_date, to_iso_string
from penstock.workflow.expressions.members import (
    FORBIDDEN,
    argument,
    call_function,
    get_named,
    method_of,
)
from penstock.workflow.expressions.proxies import VARIABLES
from penstock.workflow.expressions.values import HostObject, JsDate, JsFunction, Native

TABLES: dict[str, dict[str, Native]] = {
    "Array": ARRAY,
    "Date": DATE,
    "Number": NUMBER,
    "Object": OBJECT,
    "String": STRING,
    "Boolean": BOOLEAN,
}
EXTENSION_NAMES = frozenset(name for table in TABLES.values() for name in table) | set(GENERIC)
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}.\d{3}Z\Z")


def _iso_date(text: str) -> JsDate | None:
    """The date of a string in the exact form of `toISOString`."""
    if len(text) != 24 or not _ISO_DATE.match(text):
        return None
    ms = parse_date(text)
    made = JsDate(ms)
    return made if ms == ms and to_iso_string(made) == text else None


def _table(value: Any) -> dict[str, Native]:
    kind = type(value)
    if kind is str:
        return STRING
    if isinstance(value, list):
        return ARRAY
    if kind is int or kind is float:
        return NUMBER
    if kind is bool:
        return BOOLEAN
    if isinstance(value, (DateTime, JsDate)):
        return DATE
    if is_missing(value) or isinstance(value, JsFunction):
        return {}
    return OBJECT


def extend(context: Context, value: Any, name: str, arguments: list[Any]) -> Any:
    """`value.name(...arguments)` for the name of an extension method."""
    kind = type(value)
    if kind is dict and isinstance(value.get(name), JsFunction):
        return call_function(value[name], value, arguments, name)
    date = None
    if kind is str and name not in ("toDate", "toDateTime"):
        date = _iso_date(value)
    found = (DATE if date is not None else _table(value)).get(name)
    if found is not None:
        return found(context, value if date is None else date, arguments)
    native = _native(context, value, name)
    if native is not None:
        return native.call(value, arguments)
    generic = GENERIC.get(name)
    if generic is not None:
        return generic(context, value, arguments)
    raise _missing(value, name)


def _native(context: Context, value: Any, name: str) -> JsFunction | None:
    if is_missing(value) or value == "" or value is False or value == 0:
        return None
    if isinstance(value, HostObject):
        found = value.get(name)
        return found if isinstance(found, JsFunction) else None
    if method_of(value, name) is None and not isinstance(value, JsFunction):
        return None
    found = get_named(context, value, name)
    return found if isinstance(found, JsFunction) else None


def _missing(value: Any, name: str) -> Exception:
    if is_missing(value):
        return extension_error(f"{name} can't be used on {to_string(value)} value")
    types = [f'"{kind}"' for kind, table in TABLES.items() if name in table]
    if not types:
        return extension_error(f"Unknown expression function: {name}")
    if len(types) == 1:
        return extension_error(f"{name}() is only callable on type {types[0]}")
    return extension_error(
        f"{name}() is only callable on types {', '.join(types[:-1])}, and {types[-1]}"
    )


def _checked_name(value: Any) -> str:
    name = to_string(value)
    if name in FORBIDDEN:
        raise extension_error(
            f'Cannot access "{name}" via expression extension due to security concerns'
        )
    return name


def _extend_function(context: Context, arguments: list[Any]) -> Any:
    name = _checked_name(argument(arguments, 1))
    given = argument(arguments, 2)
    return extend(context, argument(arguments, 0), name, given if isinstance(given, list) else [])


def _extend_optional(context: Context, arguments: list[Any]) -> Any:
    value, name = argument(arguments, 0), _checked_name(argument(arguments, 1))

    def call(this: Any, given: list[Any]) -> Any:
        return extend(context, value, name, given)

    return JsFunction(name, call)


def _register() -> None:
    for name, function in (("extend", _extend_function), ("extendOptional", _extend_optional)):
        VARIABLES[name] = _provider(name, function)


def _provider(name: str, function: Any) -> Any:
    def provide(context: Context) -> JsFunction:
        return JsFunction(name, lambda this, arguments: function(context, arguments))

    return provide


_register()

__all__ = ["EXTENSION_NAMES", "JsThrow", "extend"]
