"""Where a child's output goes: its own file, bounded, and our stderr under its name.

A file that has grown to its limit when its program starts moves to `<name>.log.1`, so two files
of each program are the most there is between restarts; and one that reaches the limit while its
program runs does the same.
"""

import sys
from pathlib import Path

_BYTES_MAX = 20 * 1024 * 1024


class LogFile:
    """Takes lines. A disk that is full costs lines in the file, never the program."""

    def __init__(self, path: Path, *, is_shown: bool = True) -> None:
        self._path = path
        self._is_shown = is_shown
        self._out = path.open("a", encoding="utf-8", errors="replace", buffering=1)

    def __call__(self, line: str) -> None:
        try:
            if self._out.tell() > _BYTES_MAX:
                self._turn()
            self._out.write(line + "\n")
        except OSError:
            pass
        if self._is_shown:
            sys.stderr.write(f"{self._path.stem}: {line}\n")

    def _turn(self) -> None:
        self._out.close()
        self._path.replace(self._path.with_suffix(".log.1"))
        self._out = self._path.open("a", encoding="utf-8", errors="replace", buffering=1)
