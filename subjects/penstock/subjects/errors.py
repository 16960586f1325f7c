"""The errors that cross module borders, and the one shape in which they are recorded.

An exception is for the world's faults, an assertion for ours. Errors that a person reads carry
what happened and what to do about it; errors that an execution records are `ErrorInfo`.
"""

from typing import Any

import msgspec


class PenstockError(Exception):
    """A fault with a remedy: `message` says what and where, `remedy` what to do."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class BusError(PenstockError):
    """The bus could not do it now (outage, time-out, full stream); trying again may help."""


class WrongLastSequenceError(BusError):
    """An append was refused because its expected last sequence was not the last one.

    A retried append answers this too although its first try was stored (the broker checks the
    sequence before it deduplicates): read the last record and compare before concluding.
    """


class StreamFullError(BusError):
    """The stream's `max_bytes` is reached and it discards new messages."""


class StorageFullError(PenstockError):
    """There is no room left where something was to be stored; nothing of it is there."""


class ErrorInfo(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An error as an execution records it and the API shows it.

    `name` is the class of the error in n8n's words (`NodeOperationError`, …). `stack` is set for
    user code only and holds frames of that code, never of ours.
    """

    message: str
    name: str = "Error"
    description: str = ""
    node: str = ""
    stack: str = ""
    context: dict[str, Any] | None = None
