"""`penstock up` as a process, for tests: started, watched, killed, and proven to be gone.

    with running_up(directory) as up:
        up.url, up.token, up.pid_of("gateway-1")

`stand_ins` replaces programs by modules of the tests. Processes are found by the data directory
in their environment or command line, so a survivor that nobody names is found too.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
READY_S = 60.0
STAND_IN = "tests.integration.stand_in"
ALL_STAND_INS = dict.fromkeys(("gateway", "actors", "projector", "sandbox_host"), STAND_IN)

_START = """\
import json, sys
from penstock.supervisor import stack
stack.MODULES.update(json.loads(sys.argv[1]))
from penstock.cli.main import main
sys.exit(main(["up", *sys.argv[2:]]))
"""


class Up:
    """One `penstock up` on a data directory."""

    def __init__(
        self,
        data: Path,
        *options: str,
        stand_ins: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data
        self._errors = (data.parent / f"{data.name}.stderr").open("ab")
        command: Sequence[str] = (
            *(sys.executable, "-c", _START, json.dumps(dict(stand_ins or {}))),
            *("--data", str(data), *options),
        )
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        )
        self.url = ""

    @property
    def errors(self) -> str:
        """What it said on stderr so far."""
        return (self.data.parent / f"{self.data.name}.stderr").read_text(errors="replace")

    @property
    def token(self) -> str:
        return (self.data / "owner-token").read_text().strip()

    def wait_until_ready(self) -> "Up":
        """Read the ready line, or raise with what it said."""
        watchdog = _Watchdog(self.process, READY_S)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        watchdog.cancel()
        if not line.startswith("ready http://"):
            raise AssertionError(f"not ready: {line!r}\n{self.errors[-6000:]}")
        self.url = line.split()[1]
        return self

    def tree(self) -> dict[str, dict[str, Any]]:
        """Every program of the tree by its name."""
        groups = json.loads((self.data / "run" / "tree.json").read_text())["children"]
        return {child["name"]: child for group in groups for child in group.get("children", [])}

    def pid_of(self, name: str) -> int:
        return int(self.tree()[name]["pid"])

    def kill(self, name: str) -> int:
        """kill -9 one child; its pid."""
        pid = self.pid_of(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_until_restarted(self, name: str, killed: int, timeout_s: float = 30.0) -> None:
        """Return when another incarnation of a killed child is ready."""

        def is_back() -> bool:
            child = self.tree()[name]
            return child["state"] == "ready" and child.get("pid") not in (None, killed)

        wait_until(is_back, timeout_s, lambda: f"{name} is not back\n{self.errors[-6000:]}")

    def get(self, path: str = "/") -> str:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            body: bytes = answer.read()
            return body.decode()

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 15.0) -> int:
        """Signal it and wait for its end; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float = 30.0) -> int:
        try:
            return self.process.wait(timeout_s)
        finally:
            self._errors.close()

    def survivors(self) -> list[str]:
        """What still runs of this installation, without `up` itself."""
        return [
            f"{process.pid} {process.name()} {' '.join(command)[:200]}"
            for process, command in _belonging_to(self.data)
            if process.pid != self.process.pid
        ]

    def close(self) -> None:
        """End everything that is left, by pid."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._errors.close()
        for process, _ in _belonging_to(self.data):
            with contextlib.suppress(psutil.Error):
                process.kill()


class _Watchdog:
    """Kills a process that says nothing, so that reading from it ends."""

    def __init__(self, process: subprocess.Popen[str], after_s: float) -> None:
        import threading

        self._timer = threading.Timer(after_s, process.kill)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        self._timer.cancel()


def _belonging_to(data: Path) -> list[tuple[psutil.Process, list[str]]]:
    mark = str(data.absolute())
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            command = process.cmdline()
            environment = process.environ()
            places = (*command, environment.get("PENSTOCK_DATA_DIR", ""), process.cwd())
            if any(place.startswith(mark) for place in places):
                found.append((process, command))
    return found


def wait_until(
    holds: Callable[[], bool], timeout_s: float, or_say: Callable[[], str] = lambda: "too late"
) -> None:
    """Poll until it holds; `AssertionError` with the words of `or_say` after the deadline."""
    deadline = time.monotonic() + timeout_s
    while True:
        fault: Exception | None = None
        try:
            if holds():
                return
        except (OSError, ValueError, KeyError) as error:
            fault = error
        if time.monotonic() > deadline:
            raise AssertionError(or_say()) from fault
        time.sleep(0.02)


@contextlib.contextmanager
def running_up(
    data: Path,
    *options: str,
    stand_ins: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[Up]:
    """A ready `penstock up`, ended with all it started when the block ends."""
    up = Up(data, *options, stand_ins=stand_ins, env=env)
    try:
        yield up.wait_until_ready()
    finally:
        up.close()
