"""Refusals as people and programs can read them: RFC 9457's `application/problem+json`.

Every error that leaves the gateway is a `ProblemError` or becomes one. It says what is wrong,
where, and what to do; it never shows an exception of ours or a secret.
"""

from http import HTTPStatus
from typing import Any

import msgspec

from penstock.subjects.errors import PenstockError

CONTENT_TYPE = b"application/problem+json"

Headers = list[tuple[bytes, bytes]]


class ProblemEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of several things wrong with a request: where, what, what to do."""

    path: str
    message: str
    remedy: str = ""


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The body of every error answer. `title` is the status in words, `detail` this case."""

    title: str
    status: int
    detail: str = ""
    remedy: str = ""
    problems: list[ProblemEntry] = []
    execution: str = ""


class ProblemError(PenstockError):
    """An answer other than success. `retry_after_s` 0: trying again will not help."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        remedy: str = "",
        retry_after_s: int = 0,
        **more: Any,
    ) -> None:
        """`more`: `problems` (a list of `ProblemEntry`), `execution`, `headers`."""
        super().__init__(detail, remedy=remedy)
        self.status = status
        self.problems: list[ProblemEntry] = more.get("problems", [])
        self.execution: str = more.get("execution", "")
        self.headers: Headers = list(more.get("headers", ()))
        if retry_after_s:
            self.headers.append((b"retry-after", str(retry_after_s).encode()))
        if self.execution:
            self.headers.append((b"x-penstock-execution", self.execution.encode()))

    def body(self) -> bytes:
        """The answer's body."""
        details = ProblemDetails(
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.message,
            remedy=self.remedy,
            problems=self.problems,
            execution=self.execution,
        )
        return msgspec.json.encode(details)


def starting() -> ProblemError:
    """Before routes are loaded nobody knows what exists, so nothing is refused for good."""
    return ProblemError(
        503,
        "Penstock is starting: its routes are not loaded yet",
        remedy="try again in a moment",
        retry_after_s=1,
    )


def too_large(size: int) -> ProblemError:
    """A request that no message can carry."""
    return ProblemError(
        413,
        f"the request takes {size:,} bytes to store, which is more than one message holds",
        remedy="send less, or send large data as a file",
    )


def bad_body(detail: str) -> ProblemError:
    """The 400 of a body that is not what it says it is."""
    return ProblemError(
        400,
        detail,
        remedy="send a body that is what its content-type says",
        problems=[ProblemEntry("body", detail)],
    )


def too_large_a_body(bytes_max: int) -> ProblemError:
    """The 413 of a body beyond `bytes_max`."""
    return ProblemError(
        413,
        f"the body is larger than {bytes_max:,} bytes",
        remedy="send less, or send a link to the data",
    )


def internal() -> ProblemError:
    """A fault of ours. The log has it; the caller is told no more than that."""
    return ProblemError(
        500,
        "a fault in the gateway; its log has the details",
        remedy="report it with the time of this answer",
    )
