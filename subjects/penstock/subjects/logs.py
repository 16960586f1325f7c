"""Logs: one line of JSON per event on stderr, which is what supervisors and collectors read.

    logs.configure("info", program="projector")
    logs.ready(address="127.0.0.1:8080")

Fields are `at` (UTC), `level`, `program`, `event`, and whatever `extra={"fields": {...}}` adds.
Nothing that comes from users' data belongs in a log line.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

_log = logging.getLogger("penstock")


class _JsonLines(logging.Formatter):
    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "program": self._program,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["error"] = "".join(traceback.format_exception(*record.exc_info))[-4000:]
        return json.dumps(line, default=str)


def configure(level: str, *, program: str) -> None:
    """Send the log of this process to stderr. Call once, at the start of a program."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(program))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    _log.setLevel(level.upper())
    sys.excepthook = uncaught


def uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What ends the program is a line of its log as well."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        _log.critical("the program ends by a fault of its own", exc_info=(kind, error, trace))


def ready(**fields: Any) -> None:
    """Say that this program serves now, whatever the log's level."""
    record = _log.makeRecord(
        _log.name, logging.INFO, __file__, 0, "ready", (), None, extra={"fields": fields}
    )
    _log.handle(record)
