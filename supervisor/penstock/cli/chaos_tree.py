"""The programs of a running `penstock up`, as its drills see them: found, killed, frozen."""

import json
import os
import signal
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil

from penstock.subjects.errors import PenstockError
from penstock.supervisor.data_dir import DataDir

BACK_S = 60.0
_KILLS, _WINDOW_S = 6, 61.0
"""Of one group: its supervisor gives up at more than ten in a minute, and may have had some."""


class Tree:
    """The programs, from the file in which `up` tells of them."""

    def __init__(self, data_dir: DataDir) -> None:
        self._file = data_dir.tree_file
        self._killed_s: dict[str, deque[float]] = {}
        if not data_dir.is_locked or not self._file.exists():
            raise PenstockError(
                f"no `penstock up` runs on {data_dir.path}",
                remedy="give the data directory of one that runs on this machine to --data",
            )

    def programs(self) -> dict[str, str]:
        """The group of every program, by its name."""
        return {
            str(child["name"]): str(group["name"])
            for group in self._read()["children"]
            for child in group.get("children", [])
        }

    def of_group(self, name: str) -> list[str]:
        """The programs of one group."""
        return [program for program, group in self.programs().items() if group == name]

    def restarts(self) -> int:
        """How often programs have been restarted so far, in all."""
        groups = self._read()["children"]
        return sum(child["restarts"] for group in groups for child in group.get("children", []))

    def kill(self, name: str) -> None:
        """kill -9 one program once its group may be killed again, and wait until it is back."""
        times = self._killed_s.setdefault(self.programs()[name], deque(maxlen=_KILLS))
        if len(times) == _KILLS:
            time.sleep(max(0.0, times[0] + _WINDOW_S - time.monotonic()))
        times.append(time.monotonic())
        killed = self._pid(name)
        os.kill(killed, signal.SIGKILL)
        self.wait_until_back(name, killed)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """A program and what it forked stand still, and go on in the end whatever happens."""
        root = psutil.Process(self._pid(name))
        stopped = [root, *root.children(recursive=True)]
        try:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.suspend()
            yield
        finally:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    def wait_until_back(self, name: str, killed: int) -> None:
        """Return when another incarnation than `killed` is ready; raises when none is in time."""
        deadline_s = time.monotonic() + BACK_S
        while True:
            child = self._child(name)
            if child["state"] == "ready" and child.get("pid") not in (None, killed):
                return
            if time.monotonic() > deadline_s:
                raise PenstockError(f"{name} did not come back", remedy="see its log")
            time.sleep(0.02)

    def _pid(self, name: str) -> int:
        pid = self._child(name).get("pid")
        if pid is None:
            raise PenstockError(f"{name} does not run now", remedy="see its log, then try again")
        return int(pid)

    def _child(self, name: str) -> dict[str, Any]:
        children = (c for group in self._read()["children"] for c in group.get("children", []))
        return next(child for child in children if child["name"] == name)

    def _read(self) -> dict[str, Any]:
        tree: dict[str, Any] = json.loads(self._file.read_text())
        return tree
