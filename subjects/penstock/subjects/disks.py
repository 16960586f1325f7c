"""Room on a disk that somebody else may fill.

The limits of our streams add up to less than the disk, so they are met first. But a disk is rarely
ours alone, and a broker that could not write stays stuck until it is restarted. So whoever stands
on the same machine looks ahead: requests are refused while there is still room for what was begun
(`gateway.room`), servers are not started without room (`supervisor.readiness`), and a broker is
restarted when there is room again (`supervisor.disk_watch`).
"""

import os
from pathlib import Path

ROOM_BYTES = 64 * 1024 * 1024
"""Less than this is a full disk: what was begun must still find its place."""


def is_full(directory: Path, *, was_full: bool = False) -> bool:
    """Whether the disk of `directory` is full, or of what it will be made in.

    `was_full`: then it needs twice the room, lest it be full and not full every second.
    """
    while not directory.exists() and directory.parent != directory:
        directory = directory.parent
    try:
        disk = os.statvfs(directory)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < ROOM_BYTES * (2 if was_full else 1)
