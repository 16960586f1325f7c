"""Inside the fork server: what workers need is imported, then they are forked, one per request."""

import array
import contextlib
import os
import select
import signal
import socket
import sys

import msgspec

from penstock.nodes.registry import REGISTRY
from penstock.sandbox_host import kernel, settings, worker
from penstock.sandbox_host.settings import Exited, Spawned, ZygoteSettings

_PRELOAD = """
array base64 bisect calendar cmath collections copy csv datetime decimal difflib enum fractions
functools hashlib heapq hmac html io itertools json math operator random re secrets statistics
string struct textwrap time traceback types typing unicodedata urllib.parse uuid zlib zoneinfo
"""

_encode = msgspec.msgpack.Encoder().encode


def preload() -> None:
    """What steps will import, imported once, from inside the new root."""
    for name in _PRELOAD.split():
        __import__(name)
    for type_name in REGISTRY.names():
        try:
            REGISTRY.versions(type_name)
        except ImportError as error:
            # Its steps will say the same; the others go on.
            told = f"{type_name} cannot be loaded: {error}"
            line = {"event": "problem", "program": "sandbox-host", "message": told}
            sys.stderr.write(msgspec.json.encode(line).decode() + "\n")


class Server:
    """Forks workers on request and reports their ends."""

    def __init__(
        self, control: socket.socket, config: ZygoteSettings, *, has_namespaces: bool
    ) -> None:
        self._control = control
        self._has_namespaces = has_namespaces
        self._slots: dict[int, int] = {}
        self._child = worker.Isolation(config, has_namespaces=has_namespaces)

    def serve(self) -> None:
        """Until the host closes the channel."""
        woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        poll = select.poll()
        poll.register(self._control.fileno(), select.POLLIN)
        poll.register(woken, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd == woken:
                    with contextlib.suppress(BlockingIOError):
                        os.read(woken, 4096)
                    self._reap()
                elif not self._request():
                    return

    def _request(self) -> bool:
        message, ancillary, _, _ = self._control.recvmsg(
            4096, socket.CMSG_SPACE(4), socket.MSG_CMSG_CLOEXEC
        )
        if not message:
            return False
        channel = array.array("i", ancillary[0][2])[0]
        self._spawn(msgspec.msgpack.decode(message, type=int), channel)
        return True

    def _spawn(self, slot: int, channel: int) -> None:
        if self._has_namespaces:
            kernel.unshare(kernel.NEWPID)  # for children: the next fork is pid 1 of a namespace
        pid = os.fork()
        if pid == 0:
            worker.run(channel, self._child)
        if self._has_namespaces:
            kernel.setns(settings.PIDNS, kernel.NEWPID)
        os.close(channel)
        self._slots[pid] = slot
        handle = os.pidfd_open(pid)
        self._control.sendmsg(
            [_encode(Spawned(slot))],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [handle]))],
        )
        os.close(handle)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            slot = self._slots.pop(pid, None)
            if slot is not None:
                self._control.send(_encode(Exited(slot, status)))
