"""Which workflow a webhook call starts: every route in memory, found without a wait.

A path without parameters is found by one look into a dictionary. Paths with `:parameters` are
tried by their number of segments; the one with the most literal segments wins. When several
active workflows offer one path (which claims prevent, but for moments of a race) the claimed one
goes first, then the one that was activated first: everybody picks the same.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from penstock.subjects.workflows import WebhookRoute, WorkflowRecord

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Headers = list[tuple[bytes, bytes]]

WAIT_S_DEFAULT = 300.0


@dataclass(slots=True, eq=False)
class Route:
    """One way into a workflow, with all that its webhook node says about calls."""

    tenant: str
    workflow: str
    plan: str
    node: str
    method: str
    path: str
    version: float
    mode: str
    output: int
    rank: tuple[bool, int, str]
    status: int = 200
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    wait_s: float = WAIT_S_DEFAULT
    raw_body: bool = False
    binary_property: str = "data"
    ignores_bots: bool = False
    networks: tuple[Network, ...] = ()
    is_restricted: bool = False
    origins: tuple[str, ...] = ()

    @property
    def segments(self) -> tuple[str, ...]:
        """The path's segments; those that start with a colon are parameters."""
        return tuple(self.path.split("/"))


Methods = dict[str, list[Route]]


class RoutingTable:
    """Routes by path and method. `replace` swaps all routes of a workflow at once."""

    def __init__(self) -> None:
        self._literal: dict[str, Methods] = {}
        self._patterns: dict[int, dict[tuple[str, ...], Methods]] = {}
        self._of_workflow: dict[str, list[Route]] = {}
        self.count = 0

    def find(self, path: str) -> Methods | None:
        """The routes of `path` by method."""
        methods = self._literal.get(path)
        if methods is not None:
            return methods
        segments = tuple(path.split("/"))
        best: tuple[int, Methods] | None = None
        for pattern, candidate in self._patterns.get(len(segments), {}).items():
            literals = _literals_matched(pattern, segments)
            if literals >= 0 and (best is None or literals > best[0]):
                best = literals, candidate
        return None if best is None else best[1]

    def replace(self, workflow: str, routes: Iterable[Route]) -> None:
        """From now on `workflow` has exactly these routes."""
        for route in self._of_workflow.pop(workflow, ()):
            self._remove(route)
        added = list(routes)
        for route in added:
            self._add(route)
        if added:
            self._of_workflow[workflow] = added

    def _home(self, route: Route) -> tuple[dict[Any, Methods], Any]:
        segments = route.segments
        if not any(segment.startswith(":") for segment in segments):
            return self._literal, route.path
        shape = tuple(":" if segment.startswith(":") else segment for segment in segments)
        return self._patterns.setdefault(len(segments), {}), shape

    def _add(self, route: Route) -> None:
        home, key = self._home(route)
        routes = home.setdefault(key, {}).setdefault(route.method, [])
        routes.append(route)
        routes.sort(key=lambda r: r.rank)
        self.count += 1

    def _remove(self, route: Route) -> None:
        home, key = self._home(route)
        methods = home[key]
        methods[route.method].remove(route)
        if not methods[route.method]:
            del methods[route.method]
        if not methods:
            del home[key]
        self.count -= 1


def parameters_of(route: Route, path: str) -> dict[str, str]:
    """The values of a route's parameters in a path that matches it."""
    return {
        pattern[1:]: value
        for pattern, value in zip(route.segments, path.split("/"), strict=True)
        if pattern.startswith(":")
    }


def routes_of(record: WorkflowRecord) -> list[Route]:
    """The routes that a workflow's record offers; none while it is inactive."""
    if not record.active_hash or record.archived:
        return []
    return [_route(record, webhook) for webhook in record.webhooks]


def _literals_matched(pattern: tuple[str, ...], segments: tuple[str, ...]) -> int:
    """How many segments match literally, -1 when the pattern does not match."""
    literals = 0
    for expected, found in zip(pattern, segments, strict=True):
        if expected == found:
            literals += 1
        elif expected != ":" or not found:
            return -1
    return literals


def _route(record: WorkflowRecord, webhook: WebhookRoute) -> Route:
    settings = webhook.settings
    options = _object(settings.get("options"))
    allowed = _texts(options.get("ipWhitelist"))
    mode = settings.get("responseMode") or "onReceived"
    status, headers, body = _immediate_answer(settings, options)
    return Route(
        tenant=record.tenant,
        workflow=record.id,
        plan=record.active_hash,
        node=webhook.node,
        method=webhook.method,
        path=webhook.path,
        version=float(settings.get("typeVersion") or 1),
        mode=mode,
        output=webhook.output,
        rank=(not webhook.is_claimed, record.activated_ms, record.id),
        status=status,
        headers=headers,
        body=body,
        wait_s=float(settings.get("wait_s") or WAIT_S_DEFAULT),
        raw_body=options.get("rawBody") is True or options.get("binaryData") is True,
        binary_property=str(options.get("binaryPropertyName") or "data"),
        ignores_bots=options.get("ignoreBots") is True,
        networks=_networks(allowed),
        is_restricted=bool(allowed),
        origins=_texts(options.get("allowedOrigins")),
    )


def _immediate_answer(
    settings: dict[str, Any], options: dict[str, Any]
) -> tuple[int, Headers, bytes]:
    """What mode `onReceived` answers on the acknowledgement, made once."""
    code = _code(settings, options)
    headers = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in _header_entries(options)
    ]
    given = {name for name, _ in headers}
    text = options.get("responseData")
    if options.get("noResponseBody") is True:
        body, kind = b"", b""
    elif isinstance(text, str) and text:
        body, kind = text.encode(), b"text/html; charset=utf-8"
    else:
        body, kind = b'{"message":"Workflow was started"}', b"application/json; charset=utf-8"
    if kind and b"content-type" not in given:
        chosen = options.get("responseContentType")
        if isinstance(chosen, str) and chosen and is_header("content-type", chosen):
            kind = chosen.encode("latin-1")
        headers.append((b"content-type", kind))
    headers.append((b"content-length", str(len(body)).encode()))
    return code, headers, body


def _code(settings: dict[str, Any], options: dict[str, Any]) -> int:
    code: Any = settings.get("responseCode")
    values = _object(_object(options.get("responseCode")).get("values"))
    if values:
        code = values.get("responseCode")
        if code == "customCode":
            code = values.get("customCode")
    try:
        number = int(code)
    except (TypeError, ValueError, OverflowError):
        return 200
    return number if 200 <= number <= 599 else 200


def _header_entries(options: dict[str, Any]) -> list[tuple[str, str]]:
    entries = _object(options.get("responseHeaders")).get("entries")
    found = []
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict):
            continue
        name, value = str(entry.get("name", "")).lower(), str(entry.get("value", ""))
        if is_header(name, value):
            found.append((name, value))
    return found


_UNSAFE_HEADERS = {"content-length", "transfer-encoding", "connection", "x-penstock-execution"}
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+", re.ASCII)
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def is_header(name: str, value: str) -> bool:
    """Whether a workflow may set this header: a legal one, and not one that frames the answer."""
    return (
        name not in _UNSAFE_HEADERS
        and _NAME.fullmatch(name) is not None
        and _VALUE.fullmatch(value) is not None
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, str):
        return ()
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    networks = []
    for text in texts:
        try:
            networks.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            # Activation refuses such a list; here it must at least never allow anybody.
            continue
    return tuple(networks)
