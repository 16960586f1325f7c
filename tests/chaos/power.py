"""Row 2: the power is cut. What was acknowledged must be on the disk, not only in the kernel.

kill -9 cannot show this: the kernel still writes what a dead process had written. So the whole
installation lives on a file system in a file. Everything is frozen, the file is copied as it is
(which leaves out all that nobody had synced), and the copy is what the next start finds. Needs
root and loop devices.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from penstock.cli.api import Api
from tests.chaos.documents import activate, code, inline
from tests.chaos.figures import Drawn, Figure
from tests.chaos.mounts import unmount
from tests.chaos.webhook_load import WebhookLoad
from tests.up import Up, running_up, wait_until

DISK_BYTES = 3 * 1024**3
QUIET_S = 0.2
"""For what is being synced as everything freezes; nobody is told of it any more."""
LOAD_S = 2.0
ENDS_S = 60.0


def why_not() -> str:
    """Why this machine cannot do it; empty when it can."""
    if os.geteuid() != 0:
        return "needs root to mount a file system"
    if not Path("/dev/loop-control").exists():
        return "needs loop devices"
    missing = [tool for tool in ("mkfs.ext4", "mount", "umount") if shutil.which(tool) is None]
    if missing:
        return f"needs {', '.join(missing)}"
    with tempfile.TemporaryDirectory(prefix="penstock-power-") as directory:
        try:
            with _mounted(_disk(Path(directory), 64 * 1024**2), Path(directory) / "mnt"):
                return ""
        except subprocess.CalledProcessError as error:
            return f"cannot mount: {error}"


def power_drill(n: int, seed: int) -> list[Figure]:
    """`n` power cuts, each upon what the one before left."""
    drawn = Drawn(2, n, seed)
    acknowledged: set[str] = set()
    lost: list[str] = []
    paths: list[str] = []
    with tempfile.TemporaryDirectory(prefix="penstock-power-") as directory:
        place = Path(directory)
        disk = _disk(place, DISK_BYTES)
        for cut in range(n + 1):
            with _mounted(disk, place / "mnt"), running_up(place / "mnt" / "data") as up:
                api = Api(up.url, up.token)
                lost += _not_ended(api, acknowledged)
                paths = paths or activate(api, code("now", "lastNode"), inline("later"))
                if cut == n:
                    break
                copy = place / f"disk-{cut + 1}"
                acknowledged = _load_until_cut(up, paths, disk, copy)
            disk.unlink()
            disk = copy
    return [drawn.none_of("acknowledged webhooks lost", lost), drawn.told("cuts", n)]


def _load_until_cut(up: Up, paths: list[str], disk: Path, copy: Path) -> set[str]:
    """Load, then freeze everything and copy the disk; what was acknowledged until then."""
    with WebhookLoad(up.url, paths) as load:
        load.wait_for(20, 30)
        time.sleep(LOAD_S)
        _freeze(up)
        acknowledged = set(load.acknowledged)
        time.sleep(QUIET_S)
        subprocess.run(["cp", "--sparse=always", disk, copy], check=True)
        up.close()
    return acknowledged


def _freeze(up: Up) -> None:
    """Stop every process of the installation where it is."""
    root = psutil.Process(up.process.pid)
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGSTOP)


def _not_ended(api: Api, acknowledged: set[str]) -> list[str]:
    """Those that do not end as a success with their data in the history."""

    def owed() -> list[str]:
        found = []
        for execution in acknowledged:
            status, _, body = api.call("GET", f"/api/v1/executions/{execution}")
            if status != 200 or b'"success"' not in body or b"Mark" not in body:
                found.append(execution)
        return found

    with contextlib.suppress(AssertionError):
        wait_until(lambda: not owed(), ENDS_S)
    return owed()


def _disk(directory: Path, size: int) -> Path:
    disk = directory / f"disk-0-{size}"
    with disk.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True)
    return disk


@contextlib.contextmanager
def _mounted(disk: Path, at: Path) -> Iterator[None]:
    at.mkdir(exist_ok=True)
    # The longest time between commits of its own: what is on the disk is there by somebody's sync.
    subprocess.run(["mount", "-o", "loop,commit=300", disk, at], check=True, capture_output=True)
    try:
        yield
    finally:
        unmount(at)
