"""The request that an HTTP Request node makes, between its parameters and the wire."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from penstock.sdk.call import NodeError

TIMEOUT_MS = 300_000
REDIRECTS_MAX = 21


@dataclass(slots=True)
class File:
    """A binary of an item as part of a body."""

    data: bytes
    name: str
    mime: str


@dataclass(slots=True)
class Request:
    """One request. `form` is a list of fields, for multipart when `is_multipart`."""

    method: str
    url: str
    query: dict[str, Any] = field(default_factory=dict)
    array_format: str = "brackets"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    json_body: Any = None
    has_json: bool = False
    form: dict[str, Any] | None = None
    is_multipart: bool = False
    timeout_ms: int = TIMEOUT_MS
    redirects: int = REDIRECTS_MAX
    verify: bool = True
    proxy: str = ""

    def full_url(self) -> str:
        """The URL with the query parameters appended."""
        pairs = query_pairs(self.query, self.array_format)
        if not pairs:
            return self.url
        parts = urlsplit(self.url)
        text = "&".join(f"{quote(key, safe='[]')}={quote(value, safe='')}" for key, value in pairs)
        query = f"{parts.query}&{text}" if parts.query else text
        return urlunsplit(parts._replace(query=query))

    def has_header(self, name: str) -> bool:
        return any(key.lower() == name for key in self.headers)

    def described(self) -> dict[str, Any]:
        """What pagination expressions see as `$request`."""
        body = self.json_body if self.has_json else self.form
        return {
            "method": self.method,
            "uri": self.url,
            "url": self.url,
            "qs": self.query,
            "headers": self.headers,
            "body": body,
        }


def checked_url(value: Any, item: int) -> str:
    """The URL as a string that begins with http; `NodeError` in n8n's words otherwise."""
    if not isinstance(value, str):
        kind = "undefined" if value is None else type(value).__name__
        raise NodeError(f"URL parameter must be a string, got {kind}", item=item)
    if not value.lower().startswith(("http://", "https://")):
        raise NodeError(f'Invalid URL: {value}. URL must start with "http" or "https".', item=item)
    return value.strip()


def parsed_json(value: Any, item: int) -> Any:
    """JSON given as text or, by an expression, as data."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return {}
    try:
        return json.loads(value)
    except ValueError:
        raise NodeError("JSON parameter needs to be valid JSON", item=item) from None


def query_pairs(query: Mapping[str, Any], array_format: str) -> list[tuple[str, str]]:
    """Name and text of each query parameter; nested values in the notation of `qs`."""
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        _add_pair(pairs, name, value, array_format)
    return pairs


def _add_pair(pairs: list[tuple[str, str]], name: str, value: Any, array_format: str) -> None:
    if isinstance(value, dict):
        for key, each in value.items():
            _add_pair(pairs, f"{name}[{key}]", each, array_format)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            suffix = {"repeat": "", "indices": f"[{index}]"}.get(array_format, "[]")
            _add_pair(pairs, name + suffix, each, array_format)
    elif value is not None:
        pairs.append((name, text_of(value)))


def text_of(value: Any) -> str:
    """A value as text on the wire."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return "" if value is None else str(value)


def set_path(target: dict[str, Any], path: str, value: Any) -> None:
    """Set `a.b[0]` in nested data, making what is missing."""
    keys = _keys(path)
    place: Any = target
    for key, following in pairwise(keys):
        empty: Any = [] if isinstance(following, int) else {}
        place = _descend(place, key, empty)
    _put(place, keys[-1], value)


def _keys(path: str) -> list[str | int]:
    keys: list[str | int] = []
    for word in path.replace("[", ".").replace("]", "").split("."):
        if word:
            keys.append(int(word) if word.isdigit() else word)
    return keys or [path]


def _descend(place: Any, key: str | int, empty: Any) -> Any:
    if isinstance(place, list):
        _pad(place, key)
        if not isinstance(place[int(key)], (dict, list)):
            place[int(key)] = empty
        return place[int(key)]
    name = str(key)
    if not isinstance(place.get(name), (dict, list)):
        place[name] = empty
    return place[name]


def _put(place: Any, key: str | int, value: Any) -> None:
    if isinstance(place, list) and isinstance(key, int):
        _pad(place, key)
        place[key] = value
    elif isinstance(place, dict):
        place[str(key)] = value


def _pad(place: list[Any], key: str | int) -> None:
    index = int(key) if str(key).isdigit() else 0
    if index > 10_000:
        raise NodeError(f"The list index {index} in a body parameter's name is too large")
    place.extend([None] * (index + 1 - len(place)))
