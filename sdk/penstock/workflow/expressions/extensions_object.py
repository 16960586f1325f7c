"""Extension methods of objects."""

from typing import Any
from urllib.parse import quote_plus

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import is_missing, to_string
from penstock.workflow.expressions.errors import extension_error
from penstock.workflow.expressions.json_text import stringify
from penstock.workflow.expressions.members import argument, property_key
from penstock.workflow.expressions.objects import own_entries, own_keys
from penstock.workflow.expressions.values import UNDEFINED, Native


def compact_object(value: dict[str, Any]) -> dict[str, Any]:
    """Without null, undefined, "" and "nil", at every depth."""
    kept: dict[str, Any] = {}
    for name, item in value.items():
        if is_missing(item) or item in ("", "nil"):
            continue
        kept[name] = compact_object(item) if type(item) is dict else item
    return kept


def _plain(value: Any) -> dict[str, Any]:
    return value if type(value) is dict else dict(own_entries(value))


def _compact(context: Context, this: Any, arguments: list[Any]) -> dict[str, Any]:
    return compact_object(_plain(this))


def _has_field(context: Context, this: Any, arguments: list[Any]) -> bool:
    return to_string(argument(arguments, 0)) in own_keys(this)


def _remove_field(context: Context, this: Any, arguments: list[Any]) -> dict[str, Any]:
    name = to_string(argument(arguments, 0))
    return {key: item for key, item in _plain(this).items() if key != name}


def _containing(arguments: list[Any], name: str) -> str:
    sought = argument(arguments, 0)
    if type(sought) is not str or not sought:
        raise extension_error(f"{name}(): expected non-empty string arg")
    return sought


def _remove_containing(context: Context, this: Any, arguments: list[Any]) -> dict[str, Any]:
    sought = _containing(arguments, "removeFieldsContaining")
    return {
        name: item
        for name, item in _plain(this).items()
        if not (type(item) is str and sought in item)
    }


def _keep_containing(context: Context, this: Any, arguments: list[Any]) -> dict[str, Any]:
    sought = _containing(arguments, "keepFieldsContaining")
    return {
        name: item for name, item in _plain(this).items() if type(item) is str and sought in item
    }


def _merge(context: Context, this: Any, arguments: list[Any]) -> dict[str, Any]:
    other = argument(arguments, 0)
    if type(other) is not dict:
        raise extension_error("merge(): expected object arg")
    merged = dict(_plain(this))
    for name, item in other.items():
        merged.setdefault(property_key(name), item)
    return merged


def _url_encode(context: Context, this: Any, arguments: list[Any]) -> str:
    return "&".join(
        f"{quote_plus(name, safe='*-._')}={quote_plus(to_string(item), safe='*-._')}"
        for name, item in own_entries(this)
    )


OBJECT: dict[str, Native] = {
    "isEmpty": lambda context, this, arguments: not own_keys(this),
    "isNotEmpty": lambda context, this, arguments: bool(own_keys(this)),
    "merge": _merge,
    "hasField": _has_field,
    "removeField": _remove_field,
    "removeFieldsContaining": _remove_containing,
    "keepFieldsContaining": _keep_containing,
    "compact": _compact,
    "urlEncode": _url_encode,
    "keys": lambda context, this, arguments: list(own_keys(this)),
    "values": lambda context, this, arguments: [item for _, item in own_entries(this)],
    "toJsonString": lambda context, this, arguments: stringify(context, UNDEFINED, [this]),
    "toInt": lambda context, this, arguments: UNDEFINED,
    "toFloat": lambda context, this, arguments: UNDEFINED,
    "toBoolean": lambda context, this, arguments: UNDEFINED,
    "toDateTime": lambda context, this, arguments: UNDEFINED,
}
