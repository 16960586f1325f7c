"""Which fields of the input item an Edit Fields node keeps."""

from collections.abc import Callable
from typing import Any, NamedTuple

from penstock.sdk.parameters import as_object
from penstock.sdk.paths import get_path, key_in, set_path, unset_path
from penstock.workflow.expressions.convert import to_string, truthy
from penstock.workflow.expressions.values import UNDEFINED


class Inclusion(NamedTuple):
    """`choose` gives a new object with the kept fields, which the caller owns."""

    choose: Callable[[dict[str, Any]], dict[str, Any]]
    dots: bool
    binary: bool


def inclusion_of(version: float, parameters: dict[str, Any]) -> Inclusion:
    """The inclusion that these (resolved) parameters ask for."""
    options = as_object(parameters.get("options"))
    keeps_others = version < 3.3 or truthy(parameters.get("includeOtherFields", False))
    include = parameters.get("include", "all") if keeps_others else "none"
    dots = options.get("dotNotation") is not False
    return Inclusion(
        choose=_chooser(include, parameters, dots),
        dots=dots,
        binary=_keeps_binary(version, include, options),
    )


def _keeps_binary(version: float, include: Any, options: dict[str, Any]) -> bool:
    if version >= 3.4:
        return not options.get("stripBinary") and include != "none"
    return bool(options.get("includeBinary"))


def names_of(text: Any) -> list[str]:
    """The names in a comma-separated list."""
    names = text if isinstance(text, list) else to_string(text).split(",")
    return [name.strip() for name in map(to_string, names) if name.strip()]


def _chooser(
    include: Any, parameters: dict[str, Any], dots: bool
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    if include == "none":
        return lambda _json: {}
    if include == "selected":
        selected = names_of(parameters.get("includeFields", ""))
        return lambda json: _selected(json, selected, dots)
    if include == "except":
        excluded = names_of(parameters.get("excludeFields", ""))
        return lambda json: _without(json, excluded, dots)
    return dict


def _selected(json: dict[str, Any], names: list[str], dots: bool) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for name in names:
        value = get_path(json, key_in(json, name), dots=dots)
        if value is not UNDEFINED:
            set_path(chosen, key_in(json, name), value, dots=dots)
    return chosen


def _without(json: dict[str, Any], names: list[str], dots: bool) -> dict[str, Any]:
    kept = dict(json)
    for name in names:
        unset_path(kept, key_in(json, name), dots=dots)
    return kept
