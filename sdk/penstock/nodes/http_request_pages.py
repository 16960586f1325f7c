"""Pagination: a request again and again, changed by what the last response said.

The pagination fields are expressions over `$response`, `$request` and `$pageCount`, so they are
read raw and evaluated anew for every page. It always ends: by its own condition, by the limit of
pages, or because the service answers the same thing over and over.
"""

import copy
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from penstock.nodes.http_request_key import set_key
from penstock.nodes.http_request_message import Request, checked_url
from penstock.nodes.http_request_send import Response
from penstock.sdk.call import Call, NodeError
from penstock.workflow.expressions import evaluate

_SAME_MAX = 5
_PAGES_MAX = 10_000


@dataclass(slots=True)
class Pagination:
    """The pagination settings of one item. `raw` holds the fields as they stand."""

    call: Call
    item: int
    mode: str = "off"
    raw: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, call: Call, item: int, options: dict[str, Any]) -> "Pagination":
        """From a node's options; off when there is no such option."""
        resolved = (options.get("pagination") or {}).get("pagination")
        raw = call.node.parameters.get("options")
        if resolved is None or not isinstance(raw, dict):
            return cls(call, item)
        return cls(
            call,
            item,
            mode=resolved.get("paginationMode", "updateAParameterInEachRequest"),
            raw=raw["pagination"]["pagination"],
        )

    @property
    def is_on(self) -> bool:
        return self.mode != "off"

    def accepts(self, status: int) -> bool:
        """Whether a status ends the pages instead of being an error."""
        if not self.is_on or self.raw.get("paginationCompleteWhen") != "receiveSpecificStatusCodes":
            return False
        codes = str(self.raw.get("statusCodesWhenComplete", ""))
        return str(status) in {code.strip() for code in codes.split(",")}

    def value(self, name: str, names: dict[str, Any], default: Any = None) -> Any:
        """A field's value with these extra names."""
        text = self.raw.get(name, default)
        if not isinstance(text, str):
            return text
        return evaluate(text, self.call.scope, self.item, names)


async def fetch_pages(
    fetch: Callable[[Request], Awaitable[Response]], request: Request, pagination: Pagination
) -> list[Response]:
    """Every page's response, in order."""
    import asyncio  # here, as in http_request_batches

    responses: list[Response] = []
    same = 0
    limit = _limit(pagination)
    url: str | None = request.url
    while url is not None and len(responses) < limit:
        names = _names(request, responses)
        page = _page_request(request, pagination, names)
        page.url = url
        page.headers = dict(page.headers)
        set_key(page, pagination.call, pagination.item, len(responses))
        if responses:
            await asyncio.sleep(float(pagination.value("requestInterval", names, 0) or 0) / 1000)
        response = await fetch(page)
        same = same + 1 if responses and response.content == responses[-1].content else 0
        if same >= _SAME_MAX - 1:
            raise NodeError(
                f"The returned response was identical {_SAME_MAX}x, so requests got stopped",
                description="Check if 'Pagination Completed When' has been configured correctly.",
                item=pagination.item,
            )
        responses.append(response)
        url = _next_url(request, pagination, responses)
    return responses


def _limit(pagination: Pagination) -> int:
    if pagination.raw.get("limitPagesFetched"):
        return max(1, int(pagination.value("maxRequests", {}, 100) or 100))
    return _PAGES_MAX


def _names(request: Request, responses: list[Response]) -> dict[str, Any]:
    names: dict[str, Any] = {"$pageCount": len(responses), "$request": request.described()}
    if responses:
        last = responses[-1]
        names["$response"] = {
            "body": _body(last),
            "headers": last.headers,
            "statusCode": last.status,
            "statusMessage": last.reason,
        }
    return names


def _body(response: Response) -> Any:
    import json

    try:
        return json.loads(response.content)
    except ValueError:
        return response.text()


def _page_request(request: Request, pagination: Pagination, names: dict[str, Any]) -> Request:
    page = copy.copy(request)
    if pagination.mode != "updateAParameterInEachRequest":
        return page
    page.query, page.headers = dict(request.query), dict(request.headers)
    page.json_body = copy.deepcopy(request.json_body)
    page.form = dict(request.form) if request.form is not None else None
    parameters = (pagination.raw.get("parameters") or {}).get("parameters") or []
    for parameter in parameters:
        name, value = (
            evaluate(str(parameter.get(key, "")), pagination.call.scope, pagination.item, names)
            for key in ("name", "value")
        )
        _set(page, parameter.get("type", "qs"), str(name), value)
    return page


def _set(page: Request, place: str, name: str, value: Any) -> None:
    if place == "headers":
        page.headers[name] = str(value)
    elif place == "body":
        target = page.form if page.form is not None else page.json_body
        if not isinstance(target, dict):
            target = page.json_body = {}
            page.has_json = True
        target[name] = value
    else:
        page.query[name] = value


def _next_url(request: Request, pagination: Pagination, responses: list[Response]) -> str | None:
    """The URL of the next page, `None` when this was the last."""
    names = _names(request, responses)
    if pagination.mode == "responseContainsNextURL":
        following = pagination.value("nextURL", names, "")
        if not isinstance(following, str) or not following.strip():
            return None
        if _is_complete(pagination, responses[-1], names):
            return None
        return checked_url(following, pagination.item)
    return None if _is_complete(pagination, responses[-1], names) else request.url


def _is_complete(pagination: Pagination, last: Response, names: dict[str, Any]) -> bool:
    when = pagination.raw.get("paginationCompleteWhen", "responseIsEmpty")
    if when == "receiveSpecificStatusCodes":
        return pagination.accepts(last.status)
    if when == "other":
        return bool(pagination.value("completeExpression", names, False))
    return names["$response"]["body"] in ("", None, [], {})
