"""Where the processes of an installation listen."""

import contextlib
from collections.abc import Iterator

import psutil


def listeners(pid: int) -> Iterator[tuple[str, str, int]]:
    """Program, address and port of every listening socket of a process and of what descends from
    it. Some live for a moment only: who has ended meanwhile holds no port."""
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            name = process.name()
            for socket in process.net_connections("inet"):
                if socket.status == psutil.CONN_LISTEN:
                    yield name, socket.laddr.ip, socket.laddr.port
