"""The host's end of a zygote: starts it, asks it for workers, hears of their ends.

Everything happens in callbacks of the event loop; nothing here blocks it but the start of the
process itself. The control channel carries whole messages (SEQPACKET) and pidfds.
"""

import array
import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec

from penstock.sandbox_host.settings import Exited, FromZygote, Spawned, Up, ZygoteSettings
from penstock.sandbox_host.tree import python_executable
from penstock.subjects.errors import PenstockError

_START_TIMEOUT_S = 20.0
_REMEDY = "run `penstock doctor`; the sandbox host's log has the reason"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(FromZygote).decode

OnSpawned = Callable[[int, int], None]
"""(slot, pidfd): the worker exists; the pidfd is the callee's to close."""
OnExited = Callable[[int, int], None]
"""(slot, wait status)."""


class ForkServer:
    """One zygote process. `on_lost` is called when it died although nobody asked it to."""

    def __init__(self, *, on_spawned: OnSpawned, on_exited: OnExited, on_lost: Callable[[], None]):
        self._on_spawned = on_spawned
        self._on_exited = on_exited
        self._on_lost = on_lost
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._up: asyncio.Future[Up] | None = None
        self._is_up = False

    async def start(self, config: ZygoteSettings) -> Up:
        """Start the zygote and wait until it is ready; what layers it has. `PenstockError` or
        `OSError` when that cannot be, and then nothing is left of it."""
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                up = await self._begin(config)
        except TimeoutError:
            self.close()
            raise PenstockError(
                f"the sandbox's fork server was not ready within {_START_TIMEOUT_S:.0f} s",
                remedy=_REMEDY,
            ) from None
        except BaseException:
            self.close()
            raise
        if self._control is None:  # between its word and our turn
            raise _ended_early()
        self._is_up = True
        return up

    def _begin(self, config: ZygoteSettings) -> "asyncio.Future[Up]":
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        with theirs:
            ours.setblocking(False)
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            self._process = _launch(theirs, config)
        self._up = loop.create_future()
        loop.add_reader(ours, self._readable)
        ours.send(_encode(config))
        return self._up

    def spawn(self, slot: int) -> socket.socket:
        """Ask for a worker; our end of its channel. `on_spawned` follows. `OSError`: not now."""
        assert self._control is not None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        sent = array.array("i", [theirs.fileno()])
        with theirs:
            try:
                self._control.sendmsg(
                    [_encode(slot)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, sent)]
                )
            except OSError:
                ours.close()
                raise
        return ours

    def _readable(self) -> None:
        assert self._control is not None
        try:
            message, ancillary, _, _ = self._control.recvmsg(
                1 << 16, socket.CMSG_SPACE(4), socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return
        except OSError:
            message, ancillary = b"", []
        if not message:
            self._ended()
            return
        self._handle(_decode(message), ancillary)

    def _handle(self, message: FromZygote, ancillary: list[tuple[int, int, bytes]]) -> None:
        if isinstance(message, Spawned):
            self._on_spawned(message.slot, array.array("i", ancillary[0][2])[0])
        elif isinstance(message, Exited):
            self._on_exited(message.slot, message.status)
        elif self._up is not None and not self._up.done():
            self._up.set_result(message)

    def _ended(self) -> None:
        if self._up is not None and not self._up.done():
            self._up.set_exception(_ended_early())
        self.close()
        if self._is_up:
            self._on_lost()

    def close(self) -> None:
        """End the zygote and with it every worker (they die with it)."""
        if self._control is not None:
            with contextlib.suppress(Exception):
                asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
            self._control = None
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


def _ended_early() -> PenstockError:
    return PenstockError("the sandbox's fork server ended while it was set up", remedy=_REMEDY)


def _launch(channel: socket.socket, config: ZygoteSettings) -> "subprocess.Popen[bytes]":
    """A fresh interpreter with the channel as descriptor 3 and nothing of ours else."""
    script = Path(__file__).with_name("zygote.py")
    command = [python_executable(), "-I", "-S", str(script), json.dumps(config.import_paths)]
    # A copy, because the channel could stand on a number that is then closed.
    held = os.dup(channel.fileno())
    try:
        return subprocess.Popen(
            [python_executable(), "-I", "-S", "-c", _EXEC, str(held), *command],
            env={"LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            pass_fds=(held,),
            cwd="/",
        )
    finally:
        os.close(held)


_EXEC = """
import os, sys
held = int(sys.argv[1])
os.dup2(held, 3, inheritable=True)
if held != 3:
    os.close(held)
os.execve(sys.argv[2], sys.argv[2:], dict(os.environ))
"""
"""Moves the channel to descriptor 3: `Popen` keeps the numbers, and a hook of ours between fork
and exec would run in a copy of this process."""
