"""The Linux calls of the sandbox that Python's library does not wrap.

Thin: each function is one system call (or one object around one), raises `OSError`, and knows
nothing of why it is made; the order of things is `zygote`'s. Numbers are x86-64's and aarch64's.
"""

import ctypes
import os
import platform
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

_X86 = {
    "unshare": 272, "setns": 308, "mount": 165, "umount2": 166, "pivot_root": 155, "prctl": 157,
    "close_range": 436, "capset": 126, "seccomp": 317, "landlock_create_ruleset": 444,
    "landlock_add_rule": 445, "landlock_restrict_self": 446,
}  # fmt: skip
_ARM = {
    "unshare": 97, "setns": 268, "mount": 40, "umount2": 39, "pivot_root": 41, "prctl": 167,
    "close_range": 436, "capset": 91, "seccomp": 277, "landlock_create_ruleset": 444,
    "landlock_add_rule": 445, "landlock_restrict_self": 446,
}  # fmt: skip
_NUMBERS = {"x86_64": _X86, "aarch64": _ARM}.get(platform.machine(), {})

NEWNS, NEWCGROUP, NEWUTS, NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_NOSYMFOLLOW, MS_BIND, MS_REC, MS_PRIVATE = 0x20, 0x100, 0x1000, 0x4000, 0x40000
MNT_DETACH = 2

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_SECUREBITS = 1, 4, 24, 28
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
SECUREBITS_LOCKED = 0x2F
"""NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE, the first two locked."""


def _call(name: str, *arguments: object) -> int:
    number = _NUMBERS.get(name)
    if number is None:
        raise OSError(38, f"{name}: no call number for this machine")
    given = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = int(_libc.syscall(ctypes.c_long(number), *given))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


def unshare(flags: int) -> None:
    """Leave the namespaces that `flags` name for new ones."""
    _call("unshare", flags)


def setns(fd: int, kind: int) -> None:
    """Enter the namespace behind `fd`."""
    _call("setns", fd, kind)


def _text(value: str | None) -> ctypes.c_char_p | ctypes.c_void_p:
    return ctypes.c_void_p(0) if value is None else ctypes.c_char_p(value.encode())


def mount(
    source: str | None, target: str, *, kind: str | None = None, flags: int, data: str | None = None
) -> None:
    """mount(2)."""
    _call("mount", _text(source), _text(target), _text(kind), flags, _text(data))


def pivot_root_here() -> None:
    """Make the current directory the root and detach the old one."""
    _call("pivot_root", _text("."), _text("."))
    _call("umount2", _text("."), MNT_DETACH)


def prctl(option: int, *arguments: int) -> int:
    """prctl(2) with missing arguments zero."""
    return _call("prctl", option, *(*arguments, 0, 0, 0, 0)[:4])


def close_from(first: int) -> None:
    """Close every descriptor from `first` on."""
    _call("close_range", first, 0xFFFFFFFF, 0)


class Capabilities:
    """Drops capabilities. The buffers are made before, so that dropping allocates nothing."""

    def __init__(self) -> None:
        self._header = ctypes.create_string_buffer(struct.pack("<Ii", 0x20080522, 0))
        self._none = ctypes.create_string_buffer(24)

    def bound(self) -> None:
        """Empty the bounding and ambient sets for good."""
        for capability in range(64):
            try:
                prctl(PR_CAPBSET_DROP, capability)
            except OSError:
                break
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
        prctl(PR_SET_SECUREBITS, SECUREBITS_LOCKED)

    def drop(self) -> None:
        """Give up every capability."""
        _call("capset", ctypes.byref(self._header), ctypes.byref(self._none))


class SeccompFilter:
    """A filter program compiled elsewhere, ready to be loaded."""

    def __init__(self, program: bytes) -> None:
        self._program = ctypes.create_string_buffer(program, len(program))
        count = len(program) // 8
        self._header = ctypes.create_string_buffer(
            struct.pack("HxxxxxxQ", count, ctypes.addressof(self._program))
        )

    def load(self) -> None:
        """From here on only what the filter allows; there is no way back."""
        _call("seccomp", 1, 0, ctypes.byref(self._header))


# Landlock rights: execute, read file, read directory; all file system rights by ABI.
LANDLOCK_READ = 0b1101
LANDLOCK_WRITE_FILE = 0b10
LANDLOCK_SCRATCH = 0xFFFF & ~(1 | 1 << 6 | 1 << 9 | 1 << 11 | 1 << 15)
"""Everything but executing, making devices and sockets, and ioctl on devices."""
_FILE_ONLY = 0b111 | 1 << 14 | 1 << 15


class Landlock:
    """A ruleset: below each path only the rights given, everything else denied."""

    def __init__(self, rules: list[tuple[str, int]]) -> None:
        abi = _call("landlock_create_ruleset", ctypes.c_void_p(0), 0, 1)
        handled = (1 << 13) - 1
        for since, bit in ((2, 13), (3, 14), (5, 15)):
            handled |= (1 << bit) if abi >= since else 0
        size = 24 if abi >= 6 else 16 if abi >= 4 else 8
        attributes = struct.pack("QQQ", handled, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
        buffer = ctypes.create_string_buffer(attributes)
        self.fd = _call("landlock_create_ruleset", ctypes.byref(buffer), size, 0)
        for path, rights in rules:
            self._allow(path, rights & handled)

    def _allow(self, path: str, rights: int) -> None:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            # Rights of directories on a file are refused with EINVAL.
            allowed = rights if os.path.isdir(path) else rights & _FILE_ONLY  # noqa: PTH112
            rule = ctypes.create_string_buffer(struct.pack("<Qi", allowed, fd))
            _call("landlock_add_rule", self.fd, 1, ctypes.byref(rule), 0)
        finally:
            os.close(fd)

    def restrict(self) -> None:
        """Apply to this process and its children for good."""
        _call("landlock_restrict_self", self.fd, 0)
        os.close(self.fd)
