"""The sockets on which gateways are called: there before the first gateway, outliving each.

One gateway has one socket. Of several each has one of its own on the same address (SO_REUSEPORT),
so that the system spreads callers evenly however busy the machine is: of a single socket that all
accept from, whoever wakes first takes a whole burst (measured: 55 of 64 connections). Gateways
know each other's sockets and take whom a sibling leaves waiting. Where the system cannot spread
(anything but Linux) they share one socket.
"""

import socket
from contextlib import ExitStack, suppress
from pathlib import Path

from penstock.subjects.errors import PenstockError
from penstock.supervisor.linux import IS_LINUX

_BACKLOG = 2048
_LOOPBACK = "127.0.0.1"


def listeners(address: str, count: int) -> list[socket.socket]:
    """`count` sockets that listen on HOST:PORT (port 0: a free one)."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise PenstockError(
            f"--listen {address!r} is not HOST:PORT", remedy="give for example 127.0.0.1:8080"
        )
    where = (host.strip("[]"), int(port))
    try:
        if count == 1 or not IS_LINUX:
            return [_bound(where, is_shared=False, is_called=True)] * count
        # Sockets of somebody else who shares like us would let us in: a plain one is refused.
        with _bound(where, is_shared=False, is_called=False) as free:
            where = (where[0], free.getsockname()[1])
        return _spread(where, count)
    except OSError as error:
        raise PenstockError(
            f"cannot listen on {address}: {error.strerror or error}",
            remedy="give another --listen HOST:PORT, or stop what holds it",
        ) from error


def listeners_as_before(port_file: Path, count: int) -> list[socket.socket]:
    """`count` sockets on loopback, on the port of the last time, else on a free one.

    Addresses that were given away, to whoever shall resume an execution for one, stay good over a
    restart. `port_file` is for whoever got one to write, unless it holds another port: that
    one is to be had again as soon as it is free.
    """
    if port := kept_port(port_file):
        with suppress(PenstockError):
            return listeners(f"{_LOOPBACK}:{port}", count)
    return listeners(f"{_LOOPBACK}:0", count)


def kept_port(port_file: Path) -> int:
    """The port that addresses given away before lead to; 0 when there is none."""
    with suppress(OSError, ValueError):
        port = int(port_file.read_text())
        return port if 0 < port < 1 << 16 else 0
    return 0


def _spread(where: tuple[str, int], count: int) -> list[socket.socket]:
    with ExitStack() as undo:
        made = [
            undo.enter_context(_bound(where, is_shared=True, is_called=True)) for _ in range(count)
        ]
        undo.pop_all()
    return made


def _bound(where: tuple[str, int], *, is_shared: bool, is_called: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(where)
        if is_called:
            made.listen(_BACKLOG)
    except OSError:
        made.close()
        raise
    return made
