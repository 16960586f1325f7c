"""Paths into JSON data: `a.b[0]`, with the rules that n8n's nodes have (those of lodash).

A name that is a key as it stands wins over the same text read as a path, so `{"a.b": 1}` answers
to `a.b`. Quoted brackets (`['a.b']`) hold a key literally. Items are shared between nodes, so
nothing here changes data in place below the object that the caller owns: what lies on the way is
copied, the rest is shared.
"""

import re
from functools import lru_cache
from itertools import pairwise
from typing import Any

from penstock.workflow.expressions.values import UNDEFINED

Keys = tuple[str, ...]

_PIECE = re.compile(
    r"""\[(?P<number>-?\d+(?:\.\d+)?)\]"""
    r"""|\[(?P<quote>["'])(?P<quoted>(?:\\.|(?!(?P=quote)).)*)(?P=quote)\]"""
    r"""|(?P<name>[^.\[\]]+)"""
    r"""|(?P<gap>\.(?=\.|$)|\[\])""",
    re.DOTALL,
)
_DEEP = re.compile(r"""\.|\[(?:[^\[\]]*|(["'])(?:(?!\1)[^\\]|\\.)*?\1)\]""", re.DOTALL)
_UNSAFE = frozenset({"__proto__", "constructor", "prototype"})
_INDEX = re.compile(r"(?:0|[1-9]\d*)\Z")
_INDEX_MAX = 100_000


@lru_cache(maxsize=4096)
def keys_of(path: str) -> Keys:
    """The keys of a path."""
    if not _DEEP.search(path):
        return (path,)
    keys = [""] if path.startswith(".") else []
    for found in _PIECE.finditer(path):
        if found["quoted"] is not None:
            keys.append(re.sub(r"\\(.)", r"\1", found["quoted"]))
        else:
            keys.append(found["number"] or found["name"] or "")
    return tuple(keys)


def key_in(data: Any, path: str) -> str:
    """The top-level key that `path` names in `data`, also when written as `['key']`."""
    if path[:2] in ("['", '["') and path[-2:] in ("']", '"]') and isinstance(data, dict):
        inner = path[2:-2]
        if path not in data and inner in data:
            return inner
    return path


def get_path(data: Any, path: str, *, dots: bool = True) -> Any:
    """The value at `path`, `UNDEFINED` where there is none."""
    if isinstance(data, dict):
        found = data.get(path, UNDEFINED)
        if found is not UNDEFINED or not dots:
            return found
    elif not dots:
        return member(data, path)
    return get_keys(data, keys_of(path))


def get_keys(data: Any, keys: Keys) -> Any:
    """The value behind `keys`, `UNDEFINED` where there is none."""
    for key in keys:
        data = member(data, key)
        if data is UNDEFINED:
            return UNDEFINED
    return data


def member(data: Any, key: str) -> Any:
    """`data[key]` for JSON data; lists and texts have a `length`."""
    if isinstance(data, dict):
        return data.get(key, UNDEFINED)
    if isinstance(data, list | str):
        if key == "length":
            return len(data)
        if _INDEX.match(key) and int(key) < len(data):
            return data[int(key)]
    return UNDEFINED


def set_path(data: dict[str, Any], path: str, value: Any, *, dots: bool = True) -> None:
    """Put `value` at `path` of `data`, which the caller owns; `UNDEFINED` removes.

    What is missing on the way is made: a list where the next key is an index, else an object.
    """
    if not dots or path in data:
        _put(data, path, value)
        return
    keys = keys_of(path)
    if len(keys) == 1:
        _put(data, keys[0], value)
    elif not _UNSAFE.intersection(keys):
        _set_deep(data, keys, value)


def _set_deep(data: dict[str, Any], keys: Keys, value: Any) -> None:
    target: Any = data
    for key, following in pairwise(keys):
        child = _copied(member(target, key))
        if child is None:
            child = [] if _INDEX.match(following) else {}
        _put(target, key, child)
        target = child
    _put(target, keys[-1], value)


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return dict(value)
    return list(value) if isinstance(value, list) else None


def _put(target: Any, key: str, value: Any) -> None:
    if isinstance(target, dict):
        if value is UNDEFINED:
            target.pop(key, None)
        else:
            target[key] = value
    elif _INDEX.match(key) and int(key) < _INDEX_MAX:
        index = int(key)
        target.extend([None] * (index + 1 - len(target)))
        target[index] = None if value is UNDEFINED else value


def unset_path(data: dict[str, Any], path: str, *, dots: bool = True) -> None:
    """Remove what is at `path` of `data`, which the caller owns."""
    if not dots or path in data:
        data.pop(path, None)
        return
    keys = keys_of(path)
    if get_keys(data, keys) is UNDEFINED:
        return
    target: Any = data
    for key in keys[:-1]:
        child = _copied(member(target, key))
        if child is None:
            return
        _put(target, key, child)
        target = child
    _put(target, keys[-1], UNDEFINED)
