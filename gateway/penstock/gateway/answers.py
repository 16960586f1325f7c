"""An HTTP answer, ready to be sent, and errors as answers."""

import logging

from starlette.types import Send

from penstock.gateway.exchange import Exchange
from penstock.gateway.problems import CONTENT_TYPE, Headers, ProblemError, internal
from penstock.subjects.blobs import BlobError
from penstock.subjects.errors import BusError, StorageFullError
from penstock.subjects.history import HistoryError

FULL_RETRY_S = 30

log = logging.getLogger("penstock.gateway")


class Answer:
    """Status, headers and the whole body."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Headers, body: bytes = b"") -> None:
        self.status = status
        self.headers = headers
        self.body = body

    async def send(self, send: Send) -> None:
        """Send it whole, in one write where that is possible."""
        exchange = getattr(send, "__self__", None)
        if isinstance(exchange, Exchange) and exchange.send_whole(
            self.status, self.headers, self.body
        ):
            return
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


def refusal(problem: ProblemError) -> Answer:
    """A problem as an answer."""
    body = problem.body()
    headers: Headers = [
        (b"content-type", CONTENT_TYPE),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *problem.headers,
    ]
    return Answer(problem.status, headers, body)


def failure(error: Exception) -> Answer:
    """The answer to a request whose handling raised `error`."""
    if isinstance(error, ProblemError):
        return refusal(error)
    if isinstance(error, BusError):
        detail = f"the broker or an answer from behind it is out of reach: {error.message}"
        return refusal(ProblemError(503, detail, retry_after_s=2))
    if isinstance(error, StorageFullError):
        detail = "there is no room to store the binary data of this request"
        return refusal(ProblemError(507, detail, retry_after_s=FULL_RETRY_S))
    if isinstance(error, HistoryError):
        return refusal(ProblemError(400, error.message, remedy=error.remedy))
    if isinstance(error, BlobError):
        return refusal(ProblemError(502, error.message, remedy=error.remedy))
    log.error("a request failed", exc_info=error)
    return refusal(internal())
