"""JavaScript's global functions, classes and namespaces: the closed list.

A class or namespace is a `ClassSpec`; its natives take the context as every built-in does. As a
value of its own (`.map(Number)`) a global becomes a function bound to the context.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import quote, unquote

from penstock.workflow.expressions import collections, json_text, objects
from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import (
    is_missing,
    is_object,
    to_integer,
    to_number,
    to_primitive,
    to_string,
    truthy,
)
from penstock.workflow.expressions.errors import (
    JsErrorValue,
    JsThrow,
    throw_range,
    throw_syntax,
    throw_type,
)
from penstock.workflow.expressions.iteration import array_like, callback
from penstock.workflow.expressions.math_functions import MATH, MATH_CONSTANTS
from penstock.workflow.expressions.members import argument, bind
from penstock.workflow.expressions.numbers import (
    MAX_SAFE,
    is_number,
    parse_float,
    parse_int,
    tidy,
    to_int32,
)
from penstock.workflow.expressions.regexp import RegExp, make_regexp
from penstock.workflow.expressions.text import whole
from penstock.workflow.expressions.values import (
    UNDEFINED,
    BigInt,
    HostObject,
    JsConstructor,
    JsFunction,
    JsMap,
    JsSet,
    JsSymbol,
    Native,
)


def _not_callable(context: Context, this: Any, arguments: list[Any]) -> NoReturn:
    throw_type("it is not a function")


def _not_constructor(context: Context, this: Any, arguments: list[Any]) -> NoReturn:
    throw_type("it is not a constructor")


@dataclass(slots=True)
class ClassSpec:
    """A global class (or, with neither call nor construct, a namespace)."""

    call: Native = _not_callable
    construct: Native = _not_constructor
    statics: dict[str, Native] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    is_instance: Callable[[Any], bool] = lambda value: False

    @property
    def is_namespace(self) -> bool:
        return self.call is _not_callable and self.construct is _not_constructor


def global_value(context: Context, name: str) -> Any:
    """A global as a value."""
    native = FUNCTIONS.get(name)
    if native is not None:
        return bind(context, UNDEFINED, name, native)
    spec = CLASSES[name]
    members = {key: bind(context, UNDEFINED, key, item) for key, item in spec.statics.items()}
    members |= spec.constants
    if spec.is_namespace:
        return HostObject(name, lambda key: members.get(key, UNDEFINED))
    return JsConstructor(
        name,
        call=lambda this, arguments: spec.call(context, this, arguments),
        construct=lambda this, arguments: spec.construct(context, this, arguments),
        is_instance=spec.is_instance,
        statics=members,
    )


# -- functions ---------------------------------------------------------------------------------


def _parse_int(context: Context, this: Any, arguments: list[Any]) -> float:
    radix = to_int32(to_number(argument(arguments, 1)))
    return parse_int(to_string(argument(arguments, 0)), radix)


def _parse_float(context: Context, this: Any, arguments: list[Any]) -> float:
    return parse_float(to_string(argument(arguments, 0)))


def _is_nan(context: Context, this: Any, arguments: list[Any]) -> bool:
    number = to_number(argument(arguments, 0))
    return number != number


def _is_finite(context: Context, this: Any, arguments: list[Any]) -> bool:
    return math.isfinite(to_number(argument(arguments, 0)))


_URI_MARKS = "-_.!~*'()"
_URI_RESERVED = ";/?:@&=+$,#"


def encode_uri(text: str, safe: str) -> str:
    """Percent-encode; lone surrogates are an URIError."""
    try:
        return quote(whole(text), safe=safe)
    except UnicodeEncodeError:
        raise JsThrow(JsErrorValue("URIError", "URI malformed")) from None


def decode_uri(text: str, keep: str = "") -> str:
    """Percent-decode, except escapes of characters in `keep`."""
    for char in keep:
        for code in (f"%{ord(char):02X}", f"%{ord(char):02x}"):
            text = text.replace(code, f"%25{code[1:]}")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise JsThrow(JsErrorValue("URIError", "URI malformed")) from None


def _encode_component(context: Context, this: Any, arguments: list[Any]) -> str:
    return encode_uri(to_string(argument(arguments, 0)), _URI_MARKS)


def _encode_whole(context: Context, this: Any, arguments: list[Any]) -> str:
    return encode_uri(to_string(argument(arguments, 0)), _URI_MARKS + _URI_RESERVED)


def _decode_component(context: Context, this: Any, arguments: list[Any]) -> str:
    return decode_uri(to_string(argument(arguments, 0)))


def _decode_whole(context: Context, this: Any, arguments: list[Any]) -> str:
    return decode_uri(to_string(argument(arguments, 0)), _URI_RESERVED)


FUNCTIONS: dict[str, Native] = {
    "parseInt": _parse_int,
    "parseFloat": _parse_float,
    "isNaN": _is_nan,
    "isFinite": _is_finite,
    "encodeURIComponent": _encode_component,
    "encodeURI": _encode_whole,
    "decodeURIComponent": _decode_component,
    "decodeURI": _decode_whole,
}


# -- classes -----------------------------------------------------------------------------------


def _to_number_class(context: Context, this: Any, arguments: list[Any]) -> Any:
    if not arguments:
        return 0
    value = to_primitive(arguments[0], "number")
    return tidy(float(value.value)) if isinstance(value, BigInt) else to_number(value)


def _is_integer(context: Context, this: Any, arguments: list[Any]) -> bool:
    value = argument(arguments, 0)
    return is_number(value) and math.isfinite(value) and value == int(value)


def _is_safe(context: Context, this: Any, arguments: list[Any]) -> bool:
    return _is_integer(context, this, arguments) and abs(arguments[0]) <= MAX_SAFE


def _is_finite_number(context: Context, this: Any, arguments: list[Any]) -> bool:
    return is_number(argument(arguments, 0)) and math.isfinite(arguments[0])


def _is_nan_number(context: Context, this: Any, arguments: list[Any]) -> bool:
    return is_number(argument(arguments, 0)) and arguments[0] != arguments[0]


def _to_string_class(context: Context, this: Any, arguments: list[Any]) -> str:
    if not arguments:
        return ""
    text = to_string(to_primitive(arguments[0], "string"))
    context.charge(len(text))
    return text


def _from_char_code(context: Context, this: Any, arguments: list[Any]) -> str:
    return whole("".join(chr(to_int32(to_number(value)) & 0xFFFF) for value in arguments))


def _from_code_point(context: Context, this: Any, arguments: list[Any]) -> str:
    return "".join(chr(to_integer(value)) for value in arguments)


def _make_array(context: Context, this: Any, arguments: list[Any]) -> list[Any]:
    if len(arguments) == 1 and is_number(arguments[0]):
        size = arguments[0]
        if size < 0 or size != int(size) or size >= 2**32:
            throw_range("Invalid array length")
        context.charge(int(size) * 8)
        return [UNDEFINED] * int(size)
    return list(arguments)


def _array_from(context: Context, this: Any, arguments: list[Any]) -> list[Any]:
    values = array_like(context, argument(arguments, 0))
    if argument(arguments, 1) is UNDEFINED:
        return list(values)
    call = callback(arguments[1]).call
    return [call(UNDEFINED, [value, index]) for index, value in enumerate(values)]


def _make_typed_array(context: Context, this: Any, arguments: list[Any]) -> list[Any]:
    if is_number(argument(arguments, 0)):
        context.charge(int(arguments[0]) * 8)
        return [0] * int(arguments[0])
    return list(array_like(context, argument(arguments, 0)))


def _make_buffer(context: Context, this: Any, arguments: list[Any]) -> HostObject:
    given = argument(arguments, 0)
    size = given.get("byteLength") if isinstance(given, HostObject) else to_integer(given)
    return HostObject("ArrayBuffer", lambda name: size if name == "byteLength" else UNDEFINED)


def _make_big(context: Context, this: Any, arguments: list[Any]) -> BigInt:
    value = to_primitive(argument(arguments, 0), "number")
    if isinstance(value, BigInt):
        return value
    if type(value) is str:
        try:
            return BigInt(int(value.strip() or "0", 0))
        except ValueError:
            throw_syntax(f"Cannot convert {value} to a BigInt")
    number = to_number(value)
    if is_missing(value) or not math.isfinite(number) or number != int(number):
        throw_range("The number cannot be converted to a BigInt because it is not an integer")
    return BigInt(int(number))


def _make_symbol(context: Context, this: Any, arguments: list[Any]) -> JsSymbol:
    return JsSymbol("" if argument(arguments, 0) is UNDEFINED else to_string(arguments[0]))


def _error_class(kind: str) -> ClassSpec:
    def construct(context: Context, this: Any, arguments: list[Any]) -> JsErrorValue:
        message = argument(arguments, 0)
        return JsErrorValue(kind, "" if message is UNDEFINED else to_string(message))

    def is_instance(value: Any) -> bool:
        return isinstance(value, JsErrorValue) and kind in ("Error", value.kind)

    return ClassSpec(call=construct, construct=construct, is_instance=is_instance)


def _is_plain_object(value: Any) -> bool:
    return is_object(value)


_TYPED_ARRAYS = (
    "Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array"
    " Float32Array Float64Array BigInt64Array BigUint64Array"
).split()
_ERRORS = "Error TypeError RangeError SyntaxError ReferenceError EvalError URIError".split()

CLASSES: dict[str, ClassSpec] = {
    "Math": ClassSpec(statics=MATH, constants=MATH_CONSTANTS),
    "JSON": ClassSpec(statics={"stringify": json_text.stringify, "parse": json_text.parse}),
    "Atomics": ClassSpec(),
    "Object": ClassSpec(
        call=objects.make_object,
        construct=objects.make_object,
        statics=objects.OBJECT_STATICS,
        is_instance=_is_plain_object,
    ),
    "Array": ClassSpec(
        call=_make_array,
        construct=_make_array,
        statics={
            "from": _array_from,
            "of": lambda context, this, arguments: list(arguments),
            "isArray": lambda context, this, arguments: isinstance(argument(arguments, 0), list),
        },
        is_instance=lambda value: isinstance(value, list),
    ),
    "Number": ClassSpec(
        call=_to_number_class,
        construct=_to_number_class,
        statics={
            "isInteger": _is_integer,
            "isSafeInteger": _is_safe,
            "isFinite": _is_finite_number,
            "isNaN": _is_nan_number,
            "parseInt": _parse_int,
            "parseFloat": _parse_float,
        },
        constants={
            "MAX_SAFE_INTEGER": MAX_SAFE,
            "MIN_SAFE_INTEGER": -MAX_SAFE,
            "MAX_VALUE": 1.7976931348623157e308,
            "MIN_VALUE": 5e-324,
            "EPSILON": 2.0**-52,
            "POSITIVE_INFINITY": math.inf,
            "NEGATIVE_INFINITY": -math.inf,
            "NaN": math.nan,
        },
    ),
    "String": ClassSpec(
        call=_to_string_class,
        construct=_to_string_class,
        statics={"fromCharCode": _from_char_code, "fromCodePoint": _from_code_point},
    ),
    "Boolean": ClassSpec(
        call=lambda context, this, arguments: truthy(argument(arguments, 0)),
        construct=lambda context, this, arguments: truthy(argument(arguments, 0)),
    ),
    "BigInt": ClassSpec(call=_make_big),
    "Symbol": ClassSpec(call=_make_symbol),
    "RegExp": ClassSpec(
        call=make_regexp,
        construct=make_regexp,
        is_instance=lambda value: isinstance(value, RegExp),
    ),
    "Map": ClassSpec(
        construct=collections.make_map, is_instance=lambda value: isinstance(value, JsMap)
    ),
    "Set": ClassSpec(
        construct=collections.make_set, is_instance=lambda value: isinstance(value, JsSet)
    ),
    "WeakMap": ClassSpec(
        construct=collections.make_map, is_instance=lambda value: isinstance(value, JsMap)
    ),
    "WeakSet": ClassSpec(
        construct=collections.make_set, is_instance=lambda value: isinstance(value, JsSet)
    ),
    **{
        name: ClassSpec(construct=_make_typed_array, is_instance=lambda value: False)
        for name in _TYPED_ARRAYS
    },
    **{
        name: ClassSpec(construct=_make_buffer)
        for name in ("ArrayBuffer", "SharedArrayBuffer", "DataView")
    },
    **{kind: _error_class(kind) for kind in _ERRORS},
}


def is_function(value: Any) -> bool:
    """Whether `value` is a function."""
    return isinstance(value, JsFunction)
