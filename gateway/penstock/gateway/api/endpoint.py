"""Endpoints as data, and the one way a request becomes a call of a handler.

Everything that must hold for every endpoint is here and nowhere else: the token is checked before
anything is read, sizes before anything is decoded, types before the handler sees anything, and
whatever goes wrong leaves as a problem.
"""

import hashlib
import hmac
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from starlette.types import Receive, Scope

from penstock.gateway.answers import Answer
from penstock.gateway.bodies import BODY_BYTES_MAX, parse_pairs, read
from penstock.gateway.encodings import decoded
from penstock.gateway.json_bodies import in_utf8, parse_json
from penstock.gateway.parts import Parts
from penstock.gateway.problems import ProblemEntry, ProblemError
from penstock.gateway.values import with_floats

TENANT = "main"
"""The one tenant until there is a control plane."""

log = logging.getLogger("penstock.gateway")

_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_encode = msgspec.json.Encoder().encode


class Result(NamedTuple):
    """What a handler gives when its answer is more than a value."""

    value: Any
    headers: Sequence[tuple[bytes, bytes]] = ()


@dataclass(slots=True, kw_only=True)
class ApiCall:
    """A request that passed all checks. `query` and `body` are of the endpoint's types."""

    parts: Parts
    tenant: str
    path: Mapping[str, str]
    headers: Mapping[str, str]
    query: Any = None
    body: Any = None

    @property
    def if_revision(self) -> int | None:
        """The revision that an If-Match header asks for."""
        tag = self.headers.get("if-match", "").strip()
        if not tag or tag == "*":
            return None
        number = tag.removeprefix("W/").strip('"')
        if not number.isascii() or not number.isdigit() or len(number) > 18:
            raise ProblemError(412, "If-Match does not hold an ETag that this API gave out")
        return int(number)


Handler = Callable[[ApiCall], Awaitable[Any]]


@dataclass(slots=True, frozen=True, kw_only=True)
class Endpoint:
    """One operation. `streams`: the handler gives an ASGI application, not a value."""

    method: str
    path: str
    handler: Handler
    summary: str
    status: int = 200
    query: type | None = None
    body: Any = None
    body_is_optional: bool = False
    response: Any = None
    body_bytes_max: int = BODY_BYTES_MAX
    problems: tuple[int, ...] = ()
    streams: bool = False
    tag: str = field(default="workflows")


class OwnerToken:
    """The token that opens the API: the content of a file that only the owner can read."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._digest = b""

    def check(self, headers: Mapping[str, str]) -> None:
        """Raise a 401 unless the request bears the token. No file or an empty one: nobody may."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        expected = self._digest or self._load()
        found = hashlib.sha256(given.strip().encode("utf-8", "replace")).digest()
        # Digests of equal length, so that the time of the comparison tells nothing.
        if scheme.lower() != "bearer" or not hmac.compare_digest(expected or b"\0" * 32, found):
            raise ProblemError(
                401,
                "this needs the owner's token",
                remedy="send the header Authorization: Bearer <token>",
                headers=[(b"www-authenticate", b"Bearer")],
            )

    def _load(self) -> bytes:
        try:
            token = self._file.read_text().strip() if self._file else ""
        except OSError as error:
            log.error("the owner's token cannot be read: %s", error)
            return b""
        if token:
            self._digest = hashlib.sha256(token.encode()).digest()
        return self._digest


async def decode_call(
    endpoint: Endpoint, parts: Parts, scope: Scope, *, headers: Mapping[str, str], receive: Receive
) -> ApiCall:
    """Read and check everything that an endpoint declares."""
    raw = await read(scope, receive, headers.get("content-length"), endpoint.body_bytes_max)
    raw = await decoded(raw, headers.get("content-encoding", ""), endpoint.body_bytes_max)
    return ApiCall(
        parts=parts,
        tenant=TENANT,
        path=scope.get("path_params", {}),
        headers=headers,
        query=_query(endpoint, scope["query_string"]),
        body=_body(endpoint, headers, raw),
    )


def encode_result(endpoint: Endpoint, result: Any) -> Answer:
    """A handler's result as an answer."""
    value, headers = result if isinstance(result, Result) else (result, ())
    if endpoint.status == 204:
        return Answer(204, list(headers))
    body = _encode(value)
    return Answer(
        endpoint.status,
        [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *headers,
        ],
        body,
    )


def _query(endpoint: Endpoint, raw: bytes) -> Any:
    if endpoint.query is None:
        return None
    pairs = parse_pairs(raw.decode("latin-1"))
    try:
        return msgspec.convert(pairs, endpoint.query, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid(400, "query", error) from error


def _body(endpoint: Endpoint, headers: Mapping[str, str], raw: bytes) -> Any:
    if endpoint.body is None:
        return None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not raw and endpoint.body_is_optional:
        return endpoint.body()
    if kind != "application/json" and not kind.endswith("+json"):
        raise ProblemError(
            415,
            f"the body's type {kind[:80]!r} is not JSON" if kind else "the body has no type",
            remedy="send JSON with Content-Type: application/json",
        )
    raw = in_utf8(headers["content-type"], raw)
    value = parse_json(raw)
    if _LONG_NUMBER.search(raw):
        value = with_floats(value)
    if endpoint.body is Any:
        return value
    try:
        return msgspec.convert(value, endpoint.body)
    except msgspec.ValidationError as error:
        raise _invalid(422, "body", error) from error


def _invalid(status: int, where: str, error: msgspec.ValidationError) -> ProblemError:
    message, _, place = str(error).partition(" - at ")
    path = place.strip("`").replace("$", where, 1) or where
    return ProblemError(
        status,
        f"{path}: {message}",
        remedy="/api/v1/openapi.json says what is expected",
        problems=[ProblemEntry(path, message)],
    )
