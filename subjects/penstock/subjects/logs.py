"""Logs: one line of JSON per event on stderr, which is what supervisors and collectors read.

    logs.configure(program="projector")
    logs.set_level("info")
    logs.ready("127.0.0.1:8080", partitions=4)

Fields are `at` (UTC), `level`, `program`, `event`, and whatever `extra={"fields": {...}}` adds.
Nothing that comes from users' data belongs in a log line.
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from penstock.subjects.errors import PenstockError

READY_FD = "PENSTOCK_READY_FD"
"""The variable that names a descriptor on which somebody waits for `ready`."""

_log = logging.getLogger("penstock")


def line(program: str, event: str, *, level: str = "info", **fields: Any) -> str:
    """One event as it stands in a log, now unless `at` says otherwise."""
    at = fields.pop("at", None) or datetime.now(UTC)
    about = {
        "at": at.isoformat(timespec="milliseconds"),
        "level": level,
        "program": program,
        "event": event,
    }
    return json.dumps(about | fields, default=str)


class _JsonLines(logging.Formatter):
    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = dict(getattr(record, "fields", {}))
        if record.exc_info:
            fields["error"] = "".join(traceback.format_exception(*record.exc_info))[-4000:]
        at = datetime.fromtimestamp(record.created, UTC)
        level = record.levelname.lower()
        return line(self._program, record.getMessage(), level=level, at=at, **fields)


class _Lines(logging.Handler):
    def __init__(self, take: Callable[[str], None]) -> None:
        super().__init__()
        self._take = take

    def emit(self, record: logging.LogRecord) -> None:
        self._take(self.format(record))


def configure(*, program: str, take: Callable[[str], None] | None = None) -> None:
    """Send the log of this process to stderr, or its lines to `take`. Call once, at the start of a
    program."""
    handler = logging.StreamHandler(sys.stderr) if take is None else _Lines(take)
    handler.setFormatter(_JsonLines(program))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    set_level("info")
    if take is None:  # who takes lines may be gone when the program ends by a fault
        sys.excepthook = uncaught


def set_level(level: str) -> None:
    """Leave out what matters less than `level`."""
    _log.setLevel(level.upper())


def uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What ends the program is a line of its log as well."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        _log.critical("the program ends by a fault of its own", exc_info=(kind, error, trace))


def say(event: str, **fields: Any) -> None:
    """A turn of the program's life (ready, draining, stopped), told whatever the log's level."""
    record = _log.makeRecord(
        _log.name, logging.INFO, __file__, 0, event, (), None, extra={"fields": fields}
    )
    _log.handle(record)


def failed(error: PenstockError) -> None:
    """Say why the program cannot go on, and what to do about it."""
    _log.error("failed", extra={"fields": {"message": error.message, "remedy": error.remedy}})


def ready(address: str = "", **fields: Any) -> None:
    """Say that this program serves now, at `address` if it has one: in the log, and to whoever
    waits on the descriptor that `READY_FD` names."""
    say("ready", **({"listen": address} if address else {}), **fields)
    number = os.environ.get(READY_FD, "")
    if number.isdigit():
        with suppress(OSError), os.fdopen(int(number), "w") as pipe:
            pipe.write(f"ready {address}".rstrip() + "\n")
