"""Merging two or more JSON objects into one, as the Merge node's clash handling says.

Deep merging follows lodash: objects and arrays are merged piece by piece (arrays by position),
anything else is replaced. Nothing is changed in place.
"""

from collections.abc import Callable
from typing import Any

from penstock.subjects.messages import Item

Combine = Callable[[list[dict[str, Any]]], dict[str, Any]]
"""Merges objects; where they clash, later ones win."""


def combiner(clash: dict[str, Any]) -> Combine:
    """The way of merging that a `clashHandling` value asks for."""
    is_deep = clash.get("mergeMode", "deepMerge") != "shallowMerge"
    skips_empty = bool(clash.get("overrideEmpty"))
    return lambda objects: _combined(objects, is_deep=is_deep, skips_empty=skips_empty)


def _combined(objects: list[dict[str, Any]], *, is_deep: bool, skips_empty: bool) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for entry in objects:
        if is_deep:
            result = _merged(result, entry, skips_empty=skips_empty)
        elif skips_empty:
            kept = {key: value for key, value in entry.items() if not _is_blank(value)}
            missing = {key: value for key, value in entry.items() if key not in result}
            result.update(missing | kept)
        else:
            result.update(entry)
    return result


def _is_blank(value: Any) -> bool:
    return value is None or value == ""


def _merged(target: Any, source: Any, *, skips_empty: bool) -> Any:
    if isinstance(source, dict):
        result = dict(target) if isinstance(target, dict) else {}
        for key, value in source.items():
            if key not in result:
                result[key] = value
            elif not (skips_empty and _is_blank(value)):
                result[key] = _merged(result[key], value, skips_empty=skips_empty)
        return result
    if isinstance(source, list) and isinstance(target, list):
        common = [
            _merged(old, new, skips_empty=skips_empty)
            for old, new in zip(target, source, strict=False)
        ]
        return common + (target if len(target) > len(source) else source)[len(common) :]
    return source


def combined_item(items: list[Item], combine: Combine, paired: list[Any]) -> Item:
    """One item of several: json and binary merged, descended from all of `paired`."""
    result: Item = {"json": combine([item["json"] for item in items])}
    binary = [item["binary"] for item in items if item.get("binary")]
    if binary:
        result["binary"] = {name: entry for each in binary for name, entry in each.items()}
    result["pairedItem"] = pairs_of(paired)
    return result


def pairs_of(paired: list[Any]) -> list[Any]:
    """Several `pairedItem` values as one flat list."""
    flat: list[Any] = []
    for entry in paired:
        if isinstance(entry, list):
            flat.extend(entry)
        elif entry is not None:
            flat.append(entry)
    return flat


def with_suffix(items: list[Item], suffix: str) -> list[Item]:
    """The items with every field renamed to `name_suffix`."""
    return [
        {**item, "json": {f"{key}_{suffix}": value for key, value in item["json"].items()}}
        for item in items
    ]
