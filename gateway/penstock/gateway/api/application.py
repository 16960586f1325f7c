"""The REST API as a Starlette application: one route per path of the table, and a few pages.

Starlette finds the path; `endpoint` does the rest, the same for every operation.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from importlib.metadata import version

import msgspec
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from penstock.gateway.answers import Answer, failure
from penstock.gateway.api.endpoint import (
    ApiCall,
    Endpoint,
    OwnerToken,
    decode_call,
    encode_result,
)
from penstock.gateway.api.openapi import document
from penstock.gateway.api.pages import API_DOCS
from penstock.gateway.api.shapes import Health
from penstock.gateway.api.table import ENDPOINTS
from penstock.gateway.bodies import ClientGoneError, drain
from penstock.gateway.lifecycle import Lifecycle
from penstock.gateway.problems import ProblemError, starting
from penstock.gateway.webhooks import headers_of


class Operations:
    """All operations of one path, as an ASGI application."""

    def __init__(self, life: Lifecycle, token: OwnerToken, endpoints: list[Endpoint]) -> None:
        self._life = life
        self._token = token
        self._endpoints = {endpoint.method: endpoint for endpoint in endpoints}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            endpoint, call = await self._checked(scope, receive)
            result = await endpoint.handler(call)
        except ClientGoneError:
            return
        except Exception as error:
            await drain(scope, receive)
            await failure(error).send(send)
            return
        if endpoint.streams:
            await _stream(result, receive, send)
        else:
            await encode_result(endpoint, result).send(send)

    async def _checked(self, scope: Scope, receive: Receive) -> tuple[Endpoint, ApiCall]:
        headers = headers_of(scope)
        self._token.check(headers)
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        endpoint = self._endpoints.get(method)
        if endpoint is None:
            raise _wrong_method(scope["method"], list(self._endpoints))
        parts = self._life.parts
        if parts is None or not self._life.is_open:
            raise starting()
        parts.metrics.api_requests += 1
        if method != "GET":
            parts.ingress.room.check_disk()
        return endpoint, await decode_call(endpoint, parts, scope, headers=headers, receive=receive)


class Page:
    """Something to read at a fixed address, without a token."""

    def __init__(self, make: Callable[[], Answer]) -> None:
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in {"GET", "HEAD"}:
            await failure(_wrong_method(scope["method"], ["GET", "HEAD"])).send(send)
        else:
            await self._make().send(send)


def application(life: Lifecycle, token: OwnerToken) -> Starlette:
    """Everything of the gateway but the webhooks."""
    by_path: dict[str, list[Endpoint]] = {}
    for endpoint in ENDPOINTS:
        by_path.setdefault(endpoint.path, []).append(endpoint)
    described = msgspec.json.encode(document(ENDPOINTS, version("penstock")))
    routes = [
        Route(f"/api/v1{path}", Operations(life, token, endpoints))
        for path, endpoints in by_path.items()
    ]
    routes += [
        Route("/api/v1/openapi.json", Page(lambda: _page(b"application/json", described))),
        Route("/api-docs", Page(lambda: _page(b"text/html; charset=utf-8", API_DOCS))),
        Route("/healthz", Page(lambda: _health(200, "alive"))),
        Route("/readyz", Page(lambda: _readiness(life))),
        Route("/metrics", Page(lambda: _page(b"text/plain; version=0.0.4", life.metrics.text()))),
    ]
    app = Starlette(routes=routes)
    app.router.default = _nothing_here
    app.router.redirect_slashes = False
    return app


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    problem = ProblemError(
        404,
        f"there is nothing at {scope['path'][:200]!r}",
        remedy="/api-docs lists what there is",
    )
    await failure(problem).send(send)


async def _stream(chunks: AsyncGenerator[bytes, None], receive: Receive, send: Send) -> None:
    headers = [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    gone = asyncio.ensure_future(receive())
    try:
        async for chunk in chunks:
            if gone.done():
                break
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        await chunks.aclose()


def _wrong_method(method: str, allowed: list[str]) -> ProblemError:
    names = sorted({*allowed, *({"HEAD"} if "GET" in allowed else ())})
    return ProblemError(
        405,
        f"{method[:20]} is not possible here",
        remedy=f"use {', '.join(names)}",
        headers=[(b"allow", ", ".join(names).encode())],
    )


def _page(kind: bytes, body: bytes) -> Answer:
    return Answer(
        200, [(b"content-type", kind), (b"content-length", str(len(body)).encode())], body
    )


def _readiness(life: Lifecycle) -> Answer:
    return _health(200, "ready") if life.is_ready else _health(503, life.why_not_ready)


def _health(status: int, text: str) -> Answer:
    answer = _page(b"application/json", msgspec.json.encode(Health(status=text)))
    answer.status = status
    return answer
