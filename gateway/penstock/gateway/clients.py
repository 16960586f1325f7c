"""Who calls: the checks a webhook node can ask for before anything is started.

The address is that of the connection. Headers such as X-Forwarded-For are not believed: whoever
calls can write them.
"""

import ipaddress
import re

from starlette.types import Scope

from penstock.gateway.problems import Headers, ProblemError
from penstock.gateway.routing import Route

_BOTS = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|facebookexternalhit|embedly|preview|lighthouse|headless"
    r"|whatsapp|telegram|skypeuripreview|bingpreview|curious|monitor|scrap",
    re.IGNORECASE,
)


def check(route: Route, scope: Scope, headers: dict[str, str]) -> None:
    """Raise the 403 that the route's options ask for, if they do."""
    if route.is_restricted and not _is_allowed(route, scope.get("client")):
        raise ProblemError(403, "this address may not call this webhook")
    if route.ignores_bots and _BOTS.search(headers.get("user-agent", "")):
        raise ProblemError(403, "this webhook does not answer bots")


def _is_allowed(route: Route, client: tuple[str, int] | None) -> bool:
    try:
        address = ipaddress.ip_address((client or ("", 0))[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in route.networks)


def cors(origins: tuple[str, ...], origin: str) -> Headers:
    """The headers that let a browser page of `origin` read the answer, if it may."""
    if not origin:
        return []
    is_allowed = not origins or "*" in origins or origin in origins
    allowed = origin if is_allowed else origins[0]
    return [
        (b"access-control-allow-origin", allowed.encode("latin-1", "replace")),
        (b"vary", b"Origin"),
    ]


def preflight(methods: list[str], origins: tuple[str, ...], headers: dict[str, str]) -> Headers:
    """The headers that answer a browser's OPTIONS request."""
    wanted = headers.get("access-control-request-headers", "")
    allowed = b", ".join(method.encode() for method in ["OPTIONS", *methods])
    answer = [
        (b"allow", allowed),
        *cors(origins, headers.get("origin", "")),
        (b"access-control-allow-methods", allowed),
        (b"access-control-max-age", b"300"),
    ]
    if wanted:
        answer.append((b"access-control-allow-headers", wanted.encode("latin-1", "replace")))
    return answer
