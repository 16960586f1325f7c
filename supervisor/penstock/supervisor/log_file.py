"""Where a child's output goes: its own file, bounded, and our stderr under its name.

Programs write JSON, for collectors. On a terminal sits a person, who is shown the same in words:

    14:03:07 actors-1: partition 2 is live: epoch 3, 0 open, 0 entries replayed
    14:03:09 up: error: disk full (path: ./penstock-data/nats)

A file that has grown to its limit moves to `<name>.log.1`, so two files of each program are the
most there is. What goes to stderr goes through a thread of its own: a terminal that is stopped
or a pipe that nobody reads blocks its writer, and a supervisor that stands still supervises
nothing. Lines that find no room there are dropped; the files have them.
"""

import json
import os
import queue
import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path

_BYTES_MAX = 20 * 1024 * 1024
_LINES_MAX = 10_000


class LogFile:
    """Takes lines. A disk that is full costs lines in the file, never the program."""

    def __init__(self, path: Path, shown_on: "ErrorOutput | None" = None) -> None:
        self._path = path
        self._shown_on = shown_on
        self._out = path.open("a", encoding="utf-8", errors="replace", buffering=1)

    def __call__(self, line: str) -> None:
        with suppress(OSError):
            if self._out.tell() > _BYTES_MAX:
                self._turn()
            self._out.write(line + "\n")
        if self._shown_on is not None:
            self._shown_on.show(self._path.stem, line)

    def _turn(self) -> None:
        self._out.close()
        self._path.replace(self._path.with_suffix(".log.1"))
        self._out = self._path.open("a", encoding="utf-8", errors="replace", buffering=1)


def in_words(name: str, line: str) -> str:
    """A line of a program's log for a person; one that is no JSON as it is."""
    try:
        about = json.loads(line)
        at = datetime.fromisoformat(about.pop("at")).astimezone()
        level, event = about.pop("level"), about.pop("event")
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{name}: {line}"
    about.pop("program", None)
    error = about.pop("error", "") if "\n" in str(about.get("error", "")) else ""
    weight = "" if level in ("info", "debug") else f"{level}: "
    fields = ", ".join(f"{key}: {_plain(value)}" for key, value in about.items())
    words = f"{at:%H:%M:%S} {name}: {weight}{event}{f' ({fields})' if fields else ''}"
    return f"{words}\n{error.rstrip()}" if error else words


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class ErrorOutput:
    """Our stderr, without ever waiting for it."""

    def __init__(self) -> None:
        self._is_terminal = os.isatty(2)
        self._lines: queue.Queue[str] = queue.Queue(_LINES_MAX)
        self._thread = threading.Thread(target=self._write_on, name="stderr", daemon=True)
        self._thread.start()

    def show(self, name: str, line: str) -> None:
        """Write what the program of that name said when there is room, else drop it."""
        with suppress(queue.Full):
            self._lines.put_nowait(in_words(name, line) if self._is_terminal else f"{name}: {line}")

    def close(self, patience_s: float = 0.5) -> None:
        """Write what is waiting, as far as anybody takes it."""
        with suppress(queue.Full):
            self._lines.put_nowait("")
        self._thread.join(patience_s)

    def _write_on(self) -> None:
        while text := self._lines.get():
            # A reader that went away is its own affair.
            with suppress(OSError):
                rest = f"{text}\n".encode("utf-8", "replace")
                while rest:
                    # Not through sys.stderr: its lock, held in here, would stop our exit.
                    rest = rest[os.write(2, rest) :]
