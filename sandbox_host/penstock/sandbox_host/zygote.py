"""The fork server: a process that holds nothing, from which workers are forked.

Started as a fresh interpreter (`-I -S`) with an empty environment and one descriptor, the control
channel (3). It gives up the machine first (root, network, other processes, privileges), then
imports what workers need, then forks one worker per request. So a worker costs a fork, and there
is no moment at which its memory could hold a secret.

Order matters and is explained where it does. A layer that the kernel refuses is reported with its
reason; whether that is acceptable is the host's decision, not this file's.
"""

import array
import contextlib
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[:] = json.loads(sys.argv[1])

import msgspec

from penstock.nodes.registry import REGISTRY
from penstock.sandbox_host import kernel, settings, worker
from penstock.sandbox_host.kernel import NEWCGROUP, NEWIPC, NEWNET, NEWNS, NEWPID, NEWUSER, NEWUTS
from penstock.sandbox_host.settings import Exited, Spawned, Up, ZygoteSettings

_CONTROL = 3
_PIDNS = 4
_ROOT = "/tmp"
_ISOLATED = NEWUSER | NEWNS | NEWNET | NEWIPC | NEWUTS | NEWPID | NEWCGROUP
_PRELOAD = """
array base64 bisect calendar cmath collections copy csv datetime decimal difflib enum fractions
functools hashlib heapq hmac html io itertools json math operator random re secrets statistics
string struct textwrap time traceback types typing unicodedata urllib.parse uuid zlib zoneinfo
"""

_encode = msgspec.msgpack.Encoder().encode


def main() -> None:
    """Set up, report, serve until the host closes the channel."""
    control = socket.socket(fileno=_CONTROL)
    config = msgspec.msgpack.decode(control.recv(1 << 20), type=ZygoteSettings)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    layers, missing = ["process"], {}
    try:
        _isolate(config)
        layers += ["namespaces", "root", "no-network"]
    except OSError as error:
        missing["namespaces"] = str(error)
    _preload()
    for layer, apply in (("no-new-privileges", _forbid_privileges), ("rlimits", _limit_zygote)):
        try:
            apply()
            layers.append(layer)
        except OSError as error:
            missing[layer] = str(error)
    gc.collect()
    gc.freeze()
    control.send(_encode(Up(layers, missing)))
    with contextlib.suppress(ConnectionError):  # the host is gone, and so are its wishes
        _Server(control, config, has_namespaces="namespaces" in layers).serve()
    os._exit(0)


def _preload() -> None:
    """What steps will import, imported once, from inside the new root."""
    for name in _PRELOAD.split():
        __import__(name)
    for type_name in REGISTRY.names():
        try:
            REGISTRY.versions(type_name)
        except ImportError as error:
            # Its steps will say the same; the others go on.
            sys.stderr.write(f"sandbox: {type_name} cannot be loaded: {error}\n")


def _isolate(config: ZygoteSettings) -> None:
    """Leave the machine: on return this process is pid 1 of its own world."""
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        # Root builds the tree before it gives up being root: the interpreter may stand in a
        # folder that only root can enter.
        kernel.unshare(NEWNS)
        _build_root(config)
        uid = gid = config.uid
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        # A changed uid makes a process undumpable, and its uid_map root's; it also clears the
        # death signal.
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        kernel.unshare(_ISOLATED)
        _map_user(proc, uid, gid)
    else:
        kernel.unshare(_ISOLATED)
        _map_user(proc, uid, gid)
        _build_root(config)
    if os.fork():
        # Outside of the new pid namespace: only passes the end on.
        _, status = os.wait()
        os._exit(0 if status == 0 else 1)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    socket.sethostname("sandbox")
    own = os.open("self/ns/pid", os.O_RDONLY, dir_fd=proc)
    # No user namespaces below this one: they are where most kernel holes were.
    _write_at(proc, "sys/user/max_user_namespaces", "0")
    os.close(proc)
    os.dup2(own, _PIDNS, inheritable=False)
    if own != _PIDNS:
        os.close(own)


def _map_user(proc: int, uid: int, gid: int) -> None:
    _write_at(proc, "self/setgroups", "deny")
    _write_at(proc, "self/uid_map", f"0 {uid} 1")
    _write_at(proc, "self/gid_map", f"0 {gid} 1")


def _write_at(folder: int, path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY, dir_fd=folder)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _build_root(config: ZygoteSettings) -> None:
    """A read-only root on tmpfs with the allowed paths and nothing else."""
    kernel.mount(None, "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    inert = kernel.MS_NOSUID | kernel.MS_NODEV
    # Opened before anything is mounted, so that no mount hides a source.
    sources = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in config.read_only]
    kernel.mount(
        "sandbox", _ROOT, kind="tmpfs", flags=inert, data="size=256k,nr_inodes=512,mode=755"
    )
    for path, source in sources:
        _bind(path, source, flags=kernel.MS_RDONLY | inert)
    for path in config.devices:
        with contextlib.suppress(OSError):
            _bind(path, os.open(path, os.O_PATH | os.O_CLOEXEC), flags=kernel.MS_NOSUID)
    for path in config.hidden:
        kernel.mount(
            "hidden", _ROOT + path, kind="tmpfs", flags=inert | kernel.MS_RDONLY, data="size=4k"
        )
    for link, target in config.links:
        with contextlib.suppress(FileExistsError):
            Path(_ROOT + link).symlink_to(target)
    Path(_ROOT + worker.SCRATCH).mkdir(exist_ok=True)
    os.chdir(_ROOT)
    kernel.pivot_root_here()
    os.chdir("/")
    kernel.mount(None, "/", flags=kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY | inert)


def _bind(path: str, source: int, *, flags: int) -> None:
    target = Path(_ROOT + path)
    place = Path(f"/proc/self/fd/{source}")
    if place.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    # Not recursive: whatever is mounted below stays outside.
    kernel.mount(str(place), str(target), flags=kernel.MS_BIND)
    kernel.mount(None, str(target), flags=kernel.MS_BIND | kernel.MS_REMOUNT | flags)
    os.close(source)


def _forbid_privileges() -> None:
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    with contextlib.suppress(OSError):  # without capabilities there is nothing to bound
        kernel.Capabilities().bound()


def _limit_zygote() -> None:
    for which, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_STACK, 8 * settings.MIB),
    ):
        hard = resource.getrlimit(which)[1]
        limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (limit, limit))


class _Server:
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
            kernel.unshare(NEWPID)  # for children: the next fork is pid 1 of a namespace
        pid = os.fork()
        if pid == 0:
            worker.run(channel, self._child)
        if self._has_namespaces:
            kernel.setns(_PIDNS, NEWPID)
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


if __name__ == "__main__":
    main()
