"""What only Linux can do for a child process: die with its parent, and not be root.

Everything here runs between fork and exec, so it is kept to a few system calls on a library
handle that was opened before. Elsewhere the functions do nothing; leftovers of a killed
supervisor are then found by their pid files at the next start.
"""

import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_SET_CHILD_SUBREAPER = 36
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CLONE_NEWUSER = 0x10000000
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522

IS_LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if IS_LINUX else None


def die_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn` after which the kernel sends `death_signal` when our main thread is gone."""
    parent = os.getpid()

    def prepare() -> None:
        if _libc is None:
            return
        _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        # The parent may have died between fork and prctl; then no signal would ever come.
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def adopt_orphans() -> None:
    """Become the parent of whatever our descendants leave behind."""
    if _libc is not None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def is_root() -> bool:
    """Whether this process is root, which Postgres refuses to be."""
    return os.geteuid() == 0


def enter_user_namespace(uid: int, gid: int) -> Callable[[], None]:
    """A `preexec_fn` that makes root appear as `uid`/`gid` to itself, with root's files its own.

    Nothing changes outside: no user is created, no file changes its owner. Mapping uid 0 needs
    CAP_SETFCAP, which root has unless a container took it away; then the write raises and the
    start fails with the errno's name.
    """

    def prepare() -> None:
        assert _libc is not None
        outer_uid, outer_gid = os.geteuid(), os.getegid()
        if _libc.unshare(_CLONE_NEWUSER) != 0:
            raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWUSER)")
        for path, line in (
            ("/proc/self/setgroups", "deny"),
            ("/proc/self/uid_map", f"{uid} {outer_uid} 1"),
            ("/proc/self/gid_map", f"{gid} {outer_gid} 1"),
        ):
            Path(path).write_text(line)

    return prepare


def become_with_access(uid: int, gid: int) -> Callable[[], None]:
    """A `preexec_fn` that gives up root for `uid`, all capabilities but one: to reach files.

    For containers that refuse user namespaces. A program that will not run as root runs, in
    directories of root's that nobody else may enter; what it creates belongs to `uid`.
    """

    def prepare() -> None:
        assert _libc is not None
        _libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        kept = 1 << _CAP_DAC_OVERRIDE
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        # Twice effective, permitted, inheritable: the low and the high 32 capabilities.
        sets = (ctypes.c_uint32 * 6)(kept, kept, kept, 0, 0, 0)
        if _libc.capset(header, sets) != 0:
            raise OSError(ctypes.get_errno(), "capset")
        if _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_CAP_AMBIENT)")

    return prepare


def unprivileged_identity() -> tuple[int, int]:
    """A uid and gid other than root's that have a name, since initdb looks its user up."""
    for entry in pwd.getpwall():
        if entry.pw_uid not in (0, 65534):
            return entry.pw_uid, entry.pw_gid
    return 65534, 65534


def user_namespaces_work() -> bool:
    """Try it in a throw-away child."""
    if not IS_LINUX:
        return False
    uid, gid = unprivileged_identity()
    child = os.fork()
    if child == 0:
        try:
            enter_user_namespace(uid, gid)()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0
