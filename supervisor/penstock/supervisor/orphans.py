"""Processes whose parent died under us: adopted, collected when they end, ended when we stop.

A program that is killed leaves what it had started to the system's first process, which in many
containers collects nobody; and what nobody names cannot be stopped. On Linux a supervisor can ask
to inherit them instead. Elsewhere this does nothing.
"""

import asyncio
import contextlib
import os
import signal
import time

import psutil

from penstock.supervisor import linux

_PERIOD_S = 5.0
_END_S = 1.0


class Orphans:
    """This process's adopted children, beside those that asyncio watches."""

    def __init__(self) -> None:
        linux.adopt_orphans()
        self._ended_before: set[int] = set()

    async def collect_on(self) -> None:
        """Collect those that ended, until cancelled."""
        while linux.IS_LINUX:
            await asyncio.sleep(_PERIOD_S)
            self.collect()

    def collect(self) -> None:
        """Collect what had already ended at the last call: asyncio's own are gone by then."""
        ended = {child.pid for child in _children() if _has_ended(child)}
        for pid in ended & self._ended_before:
            _wait(pid)
        self._ended_before = ended

    def end(self) -> None:
        """End all that is left. Only when no child of ours runs any more."""
        deadline_s = time.monotonic() + _END_S
        while linux.IS_LINUX and (left := _children()) and time.monotonic() < deadline_s:
            for child in left:
                with contextlib.suppress(psutil.Error):
                    child.send_signal(signal.SIGKILL)
                _wait(child.pid)
            time.sleep(0.005)


def _children() -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        found: list[psutil.Process] = psutil.Process().children()
        return found
    return []


def _has_ended(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    return False


def _wait(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
