"""Children that outlived a killed supervisor: found again, proven to be ours, ended.

A pid alone proves nothing, since the system gives it to somebody else later. So each start of a
child carries a random launch id in its environment, and the pid file holds both: a process is
ours only if its environment still shows that id.
"""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import psutil

from penstock.supervisor import randomness

_TERM_S = 4.0
_KILL_S = 4.0


class PidFile:
    """One child's pid and launch id, written when it starts and removed when it ended."""

    VARIABLE: ClassVar[str] = "PENSTOCK_LAUNCH"

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def new_launch() -> str:
        return randomness.name(8)

    def write(self, pid: int, launch: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps({"pid": pid, "launch": launch}))

    def living(self) -> psutil.Process | None:
        """The process of this file if it lives and is the one that was launched."""
        try:
            said = json.loads(self.path.read_text())
            process = psutil.Process(int(said["pid"]))
            if process.environ().get(self.VARIABLE) == said["launch"]:
                return process
        except (OSError, ValueError, KeyError, TypeError, psutil.Error):
            return None
        return None


def end_leftovers(directory: Path, told: Callable[[str], None]) -> None:
    """End what the pid files in `directory` still name, asking first; remove the files."""
    files = sorted(directory.glob("*.pid"))
    living = {file: process for file in files if (process := PidFile(file).living())}
    for file, process in living.items():
        told(f"ending {file.stem} (pid {process.pid}), left over by a killed supervisor")
    end(list(living.values()))
    for file in files:
        file.unlink(missing_ok=True)


def end(processes: list[psutil.Process]) -> None:
    """SIGTERM, some patience, SIGKILL to the process groups; returns when all are gone."""
    for process in processes:
        _signal(process, signal.SIGTERM)
    stubborn = _wait(processes, _TERM_S)
    for process in stubborn:
        _signal(process, signal.SIGKILL)
    _wait(stubborn, _KILL_S)


def _wait(processes: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Those that still run when all have ended or the time is over."""
    deadline_s = time.monotonic() + timeout_s
    while (running := [one for one in processes if _runs(one)]) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return running


def _runs(process: psutil.Process) -> bool:
    try:
        # One that ended but that nobody collects (no init in the container) holds nothing.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        if number is signal.SIGKILL and os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
    except (OSError, psutil.Error):
        return
