"""The webhook path: from an HTTP request to a durable run, and back. The hottest code here.

A raw ASGI application: no request objects, no middleware. Nothing is awaited but the body, the
object store (only for binary data) and the one future on which the answer comes. The order
matters: a success leaves only after the broker's acknowledgement (`ingress`).

    /webhook/<path>                    start the workflow whose route this is
    /webhook/<webhookId>/<path>        the same, for paths with parameters
    /webhook-waiting/<execution>[/…]   go on with an execution that waits for a call
    /webhook-test/…                    refused: there is no editor that listens yet
"""

from typing import Any

from starlette.types import Receive, Scope

from penstock.gateway import clients
from penstock.gateway.answers import Answer
from penstock.gateway.bodies import (
    BODY_BYTES_MAX,
    Body,
    parse,
    parse_pairs,
    read,
    store,
)
from penstock.gateway.encodings import decoded
from penstock.gateway.json_bodies import in_utf8, parse_json
from penstock.gateway.parts import Parts
from penstock.gateway.problems import ProblemError
from penstock.gateway.replies import Waiting
from penstock.gateway.routing import Methods, Route, is_header, parameters_of
from penstock.gateway.starting import add
from penstock.subjects.messages import Item, Reply, RunRequest

_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
_JSON = "application/json"


class Webhooks:
    """See the module's text. Made once all routes are known."""

    def __init__(self, parts: Parts) -> None:
        self._routes = parts.routes
        self._ingress = parts.ingress
        self._direct = parts.direct
        self._replies = parts.replies
        self._resuming = parts.resuming
        self._leases = parts.leases
        self._blobs = parts.blobs
        self._clock = parts.clock
        self._metrics = parts.metrics
        self._public_url = parts.public_url

    async def answer(self, scope: Scope, receive: Receive) -> Answer:
        """What to answer a request whose path starts with `/webhook`. Raises `ProblemError`."""
        self._metrics.webhook_requests += 1
        kind, _, path = scope["path"][1:].partition("/")
        if kind == "webhook":
            return await self._call(scope, receive, path.strip("/"))
        if kind == "webhook-waiting":
            return await self._resume(scope, receive, path.strip("/"))
        if kind == "webhook-test":
            raise ProblemError(
                404,
                "nobody listens for test calls: that is a thing of the editor",
                remedy=f"activate the workflow and call /webhook/{path[:200]}",
            )
        raise ProblemError(404, f"there is nothing at {scope['path'][:200]}")

    async def _call(self, scope: Scope, receive: Receive, path: str) -> Answer:
        methods = self._routes.find(path)
        if methods is None:
            raise _unknown(path)
        headers = headers_of(scope)
        routes = methods.get(scope["method"])
        if routes is None:
            return _other_method(scope["method"], methods, path, headers)
        route = routes[0]
        if route.is_restricted or route.ignores_bots:
            clients.check(route, scope, headers)
        if self._leases.limits(route.tenant):
            await self._leases.take(route.tenant)
        raw = await read(scope, receive, headers.get("content-length"))
        if "content-encoding" in headers:
            raw = await decoded(raw, headers["content-encoding"], BODY_BYTES_MAX)
        item = await self._item(route, scope, headers, raw)
        waiting = self._start(route, item, len(raw))
        try:
            reply = await waiting.future
        finally:
            if waiting.number:
                self._replies.close(waiting)
        execution = (b"x-penstock-execution", waiting.execution.encode())
        if reply is None:
            answer = Answer(route.status, [*route.headers, execution], route.body)
        else:
            answer = await self._from_reply(reply)
            answer.headers.append(execution)
        origin = headers.get("origin")
        if origin:
            answer.headers += clients.cors(route.origins, origin)
        return answer

    def _start(self, route: Route, item: Item, body_bytes: int) -> Waiting:
        """Send the run on its way. No await in here: the id belongs to the present batch."""
        now_ms = self._clock.now_ms()
        is_immediate = route.mode == "onReceived"
        is_short = not is_immediate and self._direct.takes(body_bytes)
        way = self._direct if is_short else self._ingress
        execution = way.new_execution(now_ms)
        if is_immediate:
            waiting, reply = self._replies.immediate(execution), None
        else:
            waiting, reply = self._replies.open(execution, route.wait_s)
        request = RunRequest(
            execution,
            route.tenant,
            route.workflow,
            route.plan,
            route.node,
            "webhook",
            [item],
            now_ms,
            reply,
            output=route.output,
        )
        try:
            add(way, request, waiting)
        except ProblemError:
            self._replies.close(waiting)
            raise
        return waiting

    async def _item(self, route: Route, scope: Scope, headers: dict[str, str], raw: bytes) -> Item:
        """The webhook node's output for this call."""
        content_type = headers.get("content-type", "")
        if content_type == _JSON and raw and not route.raw_body:
            body = Body(parse_json(raw))
        elif route.raw_body:
            body = await self._raw_body(route, content_type, raw)
        else:
            body = await parse(
                content_type, raw, self._blobs, binary_property=route.binary_property
            )
        query = scope["query_string"]
        path = scope["path"]
        item: Item = {
            "json": {
                "headers": headers,
                "params": parameters_of(route, path[9:].strip("/")) if ":" in route.path else {},
                "query": parse_pairs(query.decode("latin-1")) if query else {},
                "body": body.value,
                "webhookUrl": self._public_url + path,
                "executionMode": "production",
            }
        }
        if body.binary:
            item["binary"] = body.binary
        return item

    async def _raw_body(self, route: Route, content_type: str, raw: bytes) -> Body:
        """Option `rawBody`: the bytes as they came, beside what they mean if that is clear."""
        kind = content_type.partition(";")[0].strip().lower() or "application/octet-stream"
        value: Any = {}
        if kind == _JSON and raw:
            value = parse_json(in_utf8(content_type, raw))
        if not raw:
            return Body(value)
        entry = await store(self._blobs, raw, mime_type=kind)
        return Body(value, {route.binary_property: entry})

    async def _resume(self, scope: Scope, receive: Receive, path: str) -> Answer:
        """Wake an execution that waits for a call; the answer is that of the execution."""
        if scope["method"] not in _METHODS:
            raise ProblemError(405, f"{scope['method']} cannot go on with an execution")
        self._ingress.room.check_disk()
        address = self._resuming.address(path, scope["query_string"].decode("latin-1"))
        headers = headers_of(scope)
        raw = await read(scope, receive, headers.get("content-length"))
        raw = await decoded(raw, headers.get("content-encoding", ""), BODY_BYTES_MAX)
        body = await parse(
            headers.get("content-type", ""), raw, self._blobs, binary_property="data"
        )
        item: Item = {
            "json": {
                "headers": headers,
                "params": {},
                "query": parse_pairs(address.query),
                "body": body.value,
                "webhookUrl": self._public_url + scope["path"],
                "executionMode": "production",
            }
        }
        if body.binary:
            item["binary"] = body.binary
        reply = await self._resuming.resume(address, scope["method"], item)
        answer = await self._from_reply(reply)
        answer.headers.append((b"x-penstock-execution", address.execution.encode()))
        return answer

    async def _from_reply(self, reply: Reply) -> Answer:
        """An execution's answer as HTTP. Headers that would break the answer are dropped."""
        body = await self._blobs.get(reply.blob) if reply.blob else reply.body
        headers = [
            (name.lower().encode(), value.encode("latin-1"))
            for name, value in reply.headers.items()
            if is_header(name.lower(), value)
        ]
        status = reply.status if 200 <= reply.status <= 599 else 500
        if status not in {204, 304}:
            headers.append((b"content-length", str(len(body)).encode()))
        else:
            body = b""
        return Answer(status, headers, body)


def headers_of(scope: Scope) -> dict[str, str]:
    """Header names (lower case) to values; those of a repeated name joined by commas."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1")
        value = raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _unknown(path: str) -> ProblemError:
    return ProblemError(
        404,
        f"no active workflow has a webhook at {path[:200]!r}",
        remedy="check the path, and that the workflow is active",
    )


def _other_method(method: str, methods: Methods, path: str, headers: dict[str, str]) -> Answer:
    """OPTIONS is answered for every route; any other method that nobody serves is a 405."""
    if method == "OPTIONS":
        first = next(iter(methods.values()))[0]
        return Answer(204, clients.preflight(sorted(methods), first.origins, headers))
    allowed = ", ".join(["OPTIONS", *sorted(methods)])
    raise ProblemError(
        405,
        f"the webhook at {path[:200]!r} is not for {method}",
        remedy=f"use {allowed}",
        headers=[(b"allow", allowed.encode())],
    )
