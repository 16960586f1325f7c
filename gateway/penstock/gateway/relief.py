"""Relief: taking the callers that a sibling gateway leaves waiting.

Each of several gateways has a listening socket of its own (`supervisor.listening`), and the system
spreads callers over them without knowing whether anybody accepts. So each gateway looks at its
siblings' sockets now and then: whoever still waits there found a gateway that stands still,
restarts or has died. One that lives empties its own within a turn of its event loop, so that what
is taken from it by chance is little.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator, Sequence

PERIOD_S = 0.1
TAKEN_MAX = 100
"""In one look: what waits behind them is there at the next one, and others look as well."""

log = logging.getLogger("penstock.gateway")


def sockets_of(fds: str) -> list[socket.socket]:
    """The listening sockets behind descriptors, as `Config.sibling_fds` names them."""
    return [socket.socket(fileno=int(fd)) for fd in fds.split(",") if fd]


async def relieve(siblings: Sequence[socket.socket], make: Callable[[], asyncio.Protocol]) -> None:
    """Run until cancelled: serve whom siblings leave waiting."""
    loop = asyncio.get_running_loop()
    for one in siblings:
        one.setblocking(False)
    while siblings:
        await asyncio.sleep(PERIOD_S)
        for connection in _waiting(siblings):
            try:
                await loop.connect_accepted_socket(make, connection)
            except OSError:
                connection.close()  # it went away meanwhile


def _waiting(siblings: Sequence[socket.socket]) -> Iterator[socket.socket]:
    for one in siblings:
        for _ in range(TAKEN_MAX):
            try:
                connection, _address = one.accept()
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                log.warning("cannot accept for a sibling: %s", error)
                break
            connection.setblocking(False)
            yield connection
