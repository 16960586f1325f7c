"""Disks of the drills' own, for what must not be done to the machine's: small, filled, emptied.

Needs root and a kernel that lets it mount; `why_not` says what is missing.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_FILLER = "filler"
_CHUNK = b"\0" * 4_096


def why_not() -> str:
    """Why this machine cannot do it; empty when it can."""
    if os.geteuid() != 0:
        return "needs root to mount a file system"
    missing = [tool for tool in ("mount", "umount") if shutil.which(tool) is None]
    if missing:
        return f"needs {', '.join(missing)}"
    with tempfile.TemporaryDirectory(prefix="penstock-mount-") as directory:
        try:
            with small_disk(Path(directory) / "disk", 2**20):
                return ""
        except subprocess.CalledProcessError as error:
            return f"cannot mount: {error}"


@contextlib.contextmanager
def small_disk(at: Path, size: int) -> Iterator[None]:
    """A disk of `size` bytes at `at`, with what stood there before; gone at the end."""
    before = at.with_name(f"{at.name}.before")
    if at.exists():
        at.rename(before)
    else:
        before.mkdir(mode=0o700)
    at.mkdir(mode=0o700)
    options = f"size={size},mode=0700"
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", at], check=True, capture_output=True
    )
    try:
        subprocess.run(["cp", "-a", f"{before}/.", at], check=True)
        yield
    finally:
        unmount(at)


def unmount(at: Path) -> None:
    """Unmount when nobody uses it any more, or by force after some time."""
    deadline = time.monotonic() + 20
    while subprocess.run(["umount", at], check=False, capture_output=True).returncode:
        if time.monotonic() > deadline:
            subprocess.run(["umount", "--lazy", at], check=False)
            break
        time.sleep(0.1)


@contextlib.contextmanager
def filled(disk: Path) -> Iterator[None]:
    """A disk without a byte of room, as long as it lasts."""
    with (disk / _FILLER).open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(_CHUNK)
    try:
        yield
    finally:
        (disk / _FILLER).unlink()
