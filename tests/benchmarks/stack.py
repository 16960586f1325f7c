"""A stack of the benchmarks' own: `penstock up` on a fresh directory, ended when done."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil


@dataclass
class Stack:
    """A running `penstock up`."""

    url: str
    data: Path
    process: subprocess.Popen[str]

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Call the REST API as the owner."""
        request = urllib.request.Request(
            self.url + "/api/v1" + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": "Bearer " + (self.data / "owner-token").read_text().strip(),
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def activate(self, document: dict[str, Any]) -> str:
        """Create and activate a workflow; its id."""
        workflow = self.api("POST", "/workflows", document)["id"]
        self.api("POST", f"/workflows/{workflow}/activate")
        return str(workflow)

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds spent so far, by program."""
        spent: dict[str, float] = {}
        for name, process in self._processes():
            times = process.cpu_times()
            spent[name] = spent.get(name, 0.0) + times.user + times.system
        return spent

    def rss_mb(self) -> dict[str, float]:
        """Resident memory by program (shared pages counted in each process)."""
        used: dict[str, float] = {}
        for name, process in self._processes():
            used[name] = used.get(name, 0.0) + process.memory_info().rss / 1e6
        return used

    def pss_mb(self) -> dict[str, float]:
        """The same with shared pages divided among those who share them. Linux only."""
        used: dict[str, float] = {}
        for name, process in self._processes():
            used[name] = used.get(name, 0.0) + process.memory_full_info().pss / 1e6
        return used

    def _processes(self) -> list[tuple[str, psutil.Process]]:
        root = psutil.Process(self.process.pid)
        found = [("up", root)]
        for child in root.children(recursive=True):
            try:
                line = " ".join(child.cmdline())
            except psutil.Error:
                continue
            found.append((_program(line), child))
        return found


def _program(command_line: str) -> str:
    for name in ("projector", "sandbox_host", "gateway", "actors", "nats-server", "postgres"):
        if name in command_line:
            return name
    return "sandbox workers"


@contextmanager
def running_stack(*arguments: str) -> Iterator[Stack]:
    """Start `penstock up` with a fresh data directory, stop it and delete the directory after."""
    data = Path(tempfile.mkdtemp(prefix="penstock-bench-"))
    log = (data / "up.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "penstock.cli.main", "up", "--data", str(data / "d"), *arguments],
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("ready "):
            raise SystemExit(f"penstock up did not get ready:\n{(data / 'up.log').read_text()}")
        yield Stack(line.split()[1], data / "d", process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()
        shutil.rmtree(data, ignore_errors=True)


def until(condition: Any, *, seconds: float) -> bool:
    """Poll `condition` until it is true or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False
