"""`URLSearchParams`: the only part of the URL interface that expressions have."""

from typing import Any
from urllib.parse import parse_qsl, quote_plus

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import STRINGS, to_string
from penstock.workflow.expressions.globals import ClassSpec
from penstock.workflow.expressions.iteration import JsIterator
from penstock.workflow.expressions.json_text import JSON_FORMS
from penstock.workflow.expressions.members import METHODS, PROPERTIES, argument
from penstock.workflow.expressions.objects import own_entries
from penstock.workflow.expressions.values import UNDEFINED


class UrlParams:
    """The pairs of a query string."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = pairs


def make_params(context: Context, this: Any, arguments: list[Any]) -> UrlParams:
    """`new URLSearchParams(init)`."""
    value = argument(arguments, 0)
    if value is UNDEFINED:
        return UrlParams([])
    if isinstance(value, UrlParams):
        return UrlParams(list(value.pairs))
    if isinstance(value, list):
        return UrlParams([(to_string(argument(p, 0)), to_string(argument(p, 1))) for p in value])
    if type(value) is dict:
        return UrlParams([(name, to_string(item)) for name, item in own_entries(value)])
    return UrlParams(parse_qsl(to_string(value).removeprefix("?"), keep_blank_values=True))


def params_text(params: UrlParams) -> str:
    """The query string."""
    return "&".join(f"{_encode(name)}={_encode(item)}" for name, item in params.pairs)


def _encode(text: str) -> str:
    return quote_plus(text, safe="*-._").replace("~", "%7E")


def _get(context: Context, this: UrlParams, arguments: list[Any]) -> Any:
    name = to_string(argument(arguments, 0))
    return next((item for key, item in this.pairs if key == name), None)


def _append(context: Context, this: UrlParams, arguments: list[Any]) -> Any:
    this.pairs.append((to_string(argument(arguments, 0)), to_string(argument(arguments, 1))))
    return UNDEFINED


def _delete(context: Context, this: UrlParams, arguments: list[Any]) -> Any:
    name = to_string(argument(arguments, 0))
    this.pairs = [pair for pair in this.pairs if pair[0] != name]
    return UNDEFINED


def _set(context: Context, this: UrlParams, arguments: list[Any]) -> Any:
    _delete(context, this, arguments)
    return _append(context, this, arguments)


METHODS[UrlParams] = {
    "get": _get,
    "getAll": lambda context, this, arguments: [
        item for key, item in this.pairs if key == to_string(argument(arguments, 0))
    ],
    "has": lambda context, this, arguments: _get(context, this, arguments) is not None,
    "append": _append,
    "set": _set,
    "delete": _delete,
    "toString": lambda context, this, arguments: params_text(this),
    "entries": lambda context, this, arguments: JsIterator([list(pair) for pair in this.pairs]),
    "keys": lambda context, this, arguments: JsIterator([pair[0] for pair in this.pairs]),
    "values": lambda context, this, arguments: JsIterator([pair[1] for pair in this.pairs]),
}
PROPERTIES[UrlParams] = lambda context, value, name: UNDEFINED
STRINGS[UrlParams] = params_text
JSON_FORMS[UrlParams] = lambda value: {}
PARAMS_CLASS = ClassSpec(
    construct=make_params, is_instance=lambda value: isinstance(value, UrlParams)
)
