"""The fork server: a process that holds nothing, from which workers are forked.

Started as a fresh interpreter (`-I -S`) with an empty environment and one descriptor, the control
channel (3). It gives up the machine first (root, network, other processes, privileges), then
imports what workers need, then forks one worker per request. So a worker costs a fork, and there
is no moment at which its memory could hold a secret.

Order matters and is explained where it does. A layer that the kernel refuses is reported with its
reason; whether that is acceptable is the host's decision, not this file's.
"""

import contextlib
import gc
import json
import os
import resource
import signal
import socket
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[:] = json.loads(sys.argv[1])

import msgspec

from penstock.sandbox_host import kernel, settings
from penstock.sandbox_host.kernel import NEWCGROUP, NEWIPC, NEWNET, NEWNS, NEWPID, NEWUSER, NEWUTS
from penstock.sandbox_host.settings import Up, ZygoteSettings

_CONTROL = 3
_ROOT = "/tmp"
_ISOLATED = NEWUSER | NEWNS | NEWNET | NEWIPC | NEWUTS | NEWPID | NEWCGROUP
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
    # Here and not above: of what is left outside as the parent, nothing else is needed.
    from penstock.sandbox_host import forking

    forking.preload()
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
        forking.Server(control, config, has_namespaces="namespaces" in layers).serve()
    os._exit(0)


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
    os.dup2(own, settings.PIDNS, inheritable=False)
    if own != settings.PIDNS:
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
    Path(_ROOT + settings.SCRATCH).mkdir(exist_ok=True)
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


if __name__ == "__main__":
    main()
