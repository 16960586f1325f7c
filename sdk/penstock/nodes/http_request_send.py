"""Sending an HTTP request through the host's guarded session, and what went wrong in words."""

import json
from dataclasses import dataclass
from typing import Any

from penstock.nodes.http_request_message import File, Request, query_pairs, text_of
from penstock.sdk.call import NodeError
from penstock.subjects.errors import PenstockError

RESPONSE_BYTES_MAX = 64 << 20
_USER_AGENT = "Penstock"

_STATUS_WORDS = {
    400: "Bad request - please check your parameters",
    401: "Authorization failed - please check your credentials",
    402: "Payment required - perhaps check your payment details?",
    403: "Forbidden - perhaps check your credentials?",
    404: "The resource you are requesting could not be found",
    405: "Method not allowed - please check you are using the right HTTP method",
    429: "The service is receiving too many requests from you",
    500: "The service was not able to process your request",
    502: "Bad gateway - the service failed to handle your request",
    503: "Service unavailable - try again later or consider setting this node to retry "
    "automatically (in the node settings)",
    504: "Gateway timed out - perhaps try again later?",
}


_TOO_MANY_REDIRECTS = "Maximum number of redirects exceeded"
_NO_SUCH_HOST = (
    "The connection cannot be established, this usually occurs due to an incorrect host (domain) "
    "value"
)
_REFUSED = "The service refused the connection - perhaps it is offline"
_CLOSED = (
    "The connection to the server was closed unexpectedly, perhaps it is offline. You can retry "
    "the request immediately or wait and retry later."
)


@dataclass(slots=True)
class Response:
    """A response read to its end."""

    status: int
    reason: str
    headers: dict[str, str]
    content: bytes
    charset: str
    url: str

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    def text(self) -> str:
        """The body as text; what its charset cannot read is replaced."""
        try:
            return self.content.decode(self.charset, "replace")
        except LookupError:
            return self.content.decode("utf-8", "replace")


class HttpError(NodeError):
    """A failed request. `reason` is what an item shows when the flow goes on."""

    def __init__(self, message: str, *, description: str, item: int, reason: dict[str, Any]):
        super().__init__(message, description=description, item=item, name="NodeApiError")
        self.reason = reason


async def send(session: Any, request: Request, item: int) -> Response:
    """Send and read the whole response; `HttpError` when none comes."""
    import aiohttp

    try:
        async with session.request(
            request.method,
            _encoded_url(request),
            headers=_headers(request),
            data=_body(request),
            allow_redirects=request.redirects > 0,
            max_redirects=max(request.redirects, 1),
            timeout=aiohttp.ClientTimeout(total=request.timeout_ms / 1000),
            ssl=request.verify,
            proxy=request.proxy or None,
        ) as response:
            return await _read(response, item)
    except HttpError:
        raise
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise _connection_error(error, request, item) from error


def _encoded_url(request: Request) -> Any:
    from yarl import URL

    return URL(request.full_url(), encoded=False)


def _headers(request: Request) -> dict[str, str]:
    headers = dict(request.headers)
    if not request.has_header("user-agent"):
        headers["user-agent"] = _USER_AGENT
    if not request.has_header("accept"):
        headers["accept"] = (
            "application/json,text/html,application/xhtml+xml,application/xml,text/*;q=0.9, "
            "image/*;q=0.8, */*;q=0.7"
        )
    if request.has_json and not request.has_header("content-type"):
        headers["content-type"] = "application/json"
    return headers


def _body(request: Request) -> Any:
    import aiohttp

    if request.has_json:
        return json.dumps(request.json_body, ensure_ascii=False, separators=(",", ":")).encode()
    if request.form is None:
        return request.body
    if not request.is_multipart:
        return aiohttp.FormData(query_pairs(request.form, "indices"))
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in request.form.items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, File):
                form.add_field(name, each.data, filename=each.name, content_type=each.mime)
            else:
                form.add_field(name, text_of(each))
    return form


async def _read(response: Any, item: int) -> Response:
    content = bytearray()
    async for piece in response.content.iter_chunked(1 << 16):
        content += piece
        if len(content) > RESPONSE_BYTES_MAX:
            raise HttpError(
                f"The response is larger than {RESPONSE_BYTES_MAX >> 20} MiB",
                description="Ask for less at a time, for example with pagination.",
                item=item,
                reason={"message": "response too large", "name": "AxiosError"},
            )
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return Response(
        status=response.status,
        reason=response.reason or "",
        headers=headers,
        content=bytes(content),
        charset=response.charset or "utf-8",
        url=str(response.url),
    )


def status_error(response: Response, item: int) -> HttpError:
    """The error for a response whose status is none of 2xx."""
    status = response.status
    words = _STATUS_WORDS.get(status)
    if words is None:
        words = _STATUS_WORDS.get(status // 100 * 100, f"Request failed with status code {status}")
    body = response.text()[:2_000]
    shown = f"{status} - {json.dumps(body, ensure_ascii=False)}" if body else str(status)
    code = "ERR_BAD_REQUEST" if status < 500 else "ERR_BAD_RESPONSE"
    return HttpError(
        words,
        description=body or f"Request failed with status code {status}",
        item=item,
        reason={"message": shown, "name": "AxiosError", "code": code, "status": status},
    )


def _connection_error(error: Exception, request: Request, item: int) -> HttpError:
    words, code = _connection_words(error, request)
    denied = _denied(error)
    return HttpError(
        words,
        description=_detail(error) if denied is None else denied.remedy,
        item=item,
        reason={"message": words, "name": "AxiosError", "code": code},
    )


def _connection_words(error: Exception, request: Request) -> tuple[str, str]:
    """What happened in n8n's words, and the code that Node.js has for it."""
    import aiohttp

    denied = _denied(error)
    if denied is not None:
        return denied.message, "EACCES"
    known: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
        ((TimeoutError,), f"timeout of {request.timeout_ms}ms exceeded", "ECONNABORTED"),
        ((aiohttp.TooManyRedirects,), _TOO_MANY_REDIRECTS, "ERR_FR_TOO_MANY_REDIRECTS"),
        ((aiohttp.InvalidURL,), f"Invalid URL: {request.url}", "ERR_INVALID_URL"),
        ((aiohttp.ClientConnectorDNSError,), _NO_SUCH_HOST, "ENOTFOUND"),
        ((aiohttp.ClientConnectorError, ConnectionRefusedError), _REFUSED, "ECONNREFUSED"),
        ((aiohttp.ServerDisconnectedError, ConnectionResetError), _CLOSED, "ECONNRESET"),
    )
    for kinds, words, code in known:
        if isinstance(error, kinds):
            return words, code
    return _detail(error), "ERR_NETWORK"


def _denied(error: BaseException | None) -> PenstockError | None:
    """The egress guard's refusal among the causes of an error."""
    for _ in range(5):
        if error is None:
            return None
        if isinstance(error, PenstockError):
            return error
        inner = getattr(error, "os_error", None)
        error = inner if isinstance(inner, BaseException) else error.__cause__
    return None


def _detail(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]
