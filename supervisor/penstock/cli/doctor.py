"""`penstock doctor`: what of this machine and installation will get in the way, and what to do.

Every check looks and changes nothing (some start a process that ends at once). `bad` means that
`penstock up` will not work, `weak` that something works less well than it could.
"""

import ctypes
import os
import platform
import resource
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from penstock.cli.arguments import add_data, parser
from penstock.cli.doctor_running import Running, look
from penstock.cli.findings import Finding
from penstock.cli.isolation import in_words, probe
from penstock.subjects.errors import PenstockError
from penstock.supervisor import linux
from penstock.supervisor.data_dir import DataDir

_EXAMPLES = """\
  penstock doctor
  penstock doctor --data ./data"""

_FREE_BYTES_MIN = 2 * 1024**3
_FILES_MIN = 4096
_PACKAGES = ("msgspec", "nats-py", "uvloop", "psycopg", "obstore", "tree-sitter", "quickjs-ng")
_SYS_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_VERSION = 1
_PR_GET_SECCOMP = 21


def main(argv: list[str]) -> int:
    """Print every finding; 1 when something is bad."""
    it = parser("doctor", "Check machine and installation.", examples=_EXAMPLES)
    add_data(it)
    options = it.parse_args(argv)
    findings = list(examine(options.data))
    for finding in findings:
        print(f"{_MARKS[finding.level]} {finding.what}")
        if finding.remedy:
            print(f"       {finding.remedy}")
    bad = sum(finding.level == "bad" for finding in findings)
    print(f"\n{_verdict(findings, bad, options.data)}")
    return 1 if bad else 0


def _verdict(findings: list[Finding], bad: int, data: Path) -> str:
    if bad:
        return f"{bad} to repair"
    weak = sum(finding.level == "weak" for finding in findings)
    if data.is_dir() and DataDir(data).is_locked:
        return (
            f"`penstock up` runs; {weak} to look at" if weak else "`penstock up` runs and is well"
        )
    return "ready to run `penstock up`"


_MARKS = {"good": "[good]", "weak": "[weak]", "bad": "[BAD] "}


def examine(data: Path) -> Iterator[Finding]:
    """All findings, machine first."""
    running = look(data)
    yield _system()
    yield _python()
    yield from _installation()
    yield from _sandbox()
    yield from _isolation(running)
    yield _root()
    yield _files()
    yield _processors()
    yield _clock()
    yield _loopback()
    yield from _data_directory(data, running)


def _system() -> Finding:
    what = f"{platform.system()} {platform.release()} on {platform.machine()}"
    if sys.platform in ("linux", "darwin"):
        return Finding("good", what)
    return Finding("bad", what, "use Linux or macOS (on Windows: inside WSL)")


def _python() -> Finding:
    # An older one could not even read these files; which one runs is still worth telling.
    return Finding("good", f"Python {platform.python_version()} at {sys.executable}")


def _installation() -> Iterator[Finding]:
    missing = []
    for package in _PACKAGES:
        try:
            version(package)
        except PackageNotFoundError:
            missing.append(package)
    if missing:
        yield Finding("bad", f"not installed: {', '.join(missing)}", "run `pip install penstock`")
    yield _found("nats-server", _nats_binary)
    if os.environ.get("PENSTOCK_POSTGRES_URL"):
        yield Finding("good", "Postgres: the one that PENSTOCK_POSTGRES_URL names")
    else:
        yield _found("Postgres", _postgres_binaries)


def _nats_binary() -> Path:
    from penstock.supervisor.nats import binary

    return binary()


def _postgres_binaries() -> Path:
    from penstock.supervisor.postgres import binaries

    return binaries(Path("/nonexistent"))


def _found(name: str, find: Callable[[], Path]) -> Finding:
    try:
        path = find()
    except PenstockError as error:
        return Finding("bad", error.message, error.remedy)
    if path.is_file() and not os.access(path, os.X_OK):
        return Finding("bad", f"{name}: {path} cannot be executed", "reinstall its package")
    return Finding("good", f"{name}: {path}")


def _sandbox() -> Iterator[Finding]:
    if not linux.IS_LINUX:
        yield Finding(
            "weak",
            "no namespaces, seccomp and Landlock on this system",
            "user code runs with resource limits only: develop here, serve on Linux",
        )
        return
    if linux.user_namespaces_work():
        yield Finding("good", "user namespaces work")
    else:
        yield Finding(
            "weak",
            "user namespaces are refused: user code is isolated less",
            "sysctl -w user.max_user_namespaces=15000"
            " kernel.apparmor_restrict_unprivileged_userns=0"
            " (in a container: allow unshare, e.g. --security-opt seccomp=unconfined)",
        )
    yield _landlock()
    yield _seccomp()


def _isolation(running: Running) -> Iterator[Finding]:
    """What user code is really kept in: as running hosts tell, else tried here."""
    for report, refused in _of_hosts(running.programs) or [probe()]:
        what = f"user code is kept in by {in_words(report)}"
        if refused:
            yield Finding(
                "weak",
                f"user code is refused: {refused}",
                "give the process namespaces, Landlock and seccomp, or run nothing untrusted and"
                " set PENSTOCK_SANDBOX=weak",
            )
        elif report.get("missing"):
            yield Finding("weak", what, "see above; fewer layers stop fewer attacks")
        else:
            yield Finding("good", what)


def _of_hosts(programs: list[dict[str, Any]]) -> list[tuple[dict[str, Any], str]]:
    """Report and problems of each sandbox host among the programs that run."""
    hosts = [one for one in programs if one.get("isolation")]
    return [(host["isolation"], "; ".join(host.get("problems") or [])) for host in hosts]


def _landlock() -> Finding:
    libc = ctypes.CDLL(None, use_errno=True)
    abi = libc.syscall(
        _SYS_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_LANDLOCK_VERSION)
    )
    if abi > 0:
        return Finding("good", f"Landlock works (ABI {abi})")
    return Finding("weak", "Landlock is not available", "boot a kernel >= 5.13 with lsm=landlock,…")


def _seccomp() -> Finding:
    # EINVAL means that the kernel was built without it.
    if ctypes.CDLL(None).prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) >= 0:
        return Finding("good", "seccomp works")
    return Finding("weak", "seccomp is not available", "boot a kernel with CONFIG_SECCOMP")


def _root() -> Finding:
    if not linux.is_root():
        return Finding("good", f"running as an ordinary user (uid {os.geteuid()})")
    return Finding("good", "running as root: Postgres runs as somebody else")


def _files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    what = f"open files: {soft} (limit {hard})"
    if soft >= _FILES_MIN:
        return Finding("good", what)
    return Finding("weak", what, f"ulimit -n {_FILES_MIN} before the start, for many connections")


def _processors() -> Finding:
    count = os.cpu_count() or 1
    if count >= 2:
        return Finding("good", f"{count} processors")
    return Finding("weak", "1 processor", "everything works; the figures are for two")


def _clock() -> Finding:
    # Ids carry the time, and schedules follow it: a clock before this program was written is off.
    now = time.time()
    written = Path(__file__).stat().st_mtime
    if now + 86400 > min(written, now + 86400 * 3650) and time.gmtime(now).tm_year >= 2025:
        return Finding("good", time.strftime("clock: %F %T %Z"))
    return Finding("bad", time.strftime("the clock says %F %T"), "set it, and keep it set by NTP")


def _loopback() -> Finding:
    from penstock.supervisor.nats import free_port

    try:
        return Finding("good", f"loopback ports are free (for example {free_port()})")
    except PenstockError as error:
        return Finding("bad", error.message, error.remedy)


def _data_directory(data: Path, running: Running) -> Iterator[Finding]:
    place = data.absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        yield Finding("bad", f"{place} is not a directory", "give a directory to --data")
        return
    if os.statvfs(place).f_blocks == 0:
        what = f"{data.absolute()} would be on a file system that holds no files"
        yield Finding("bad", what, "give a directory on a disk to --data")
        return
    free = shutil.disk_usage(place).free
    what = f"{free / 1024**3:.1f} GiB free for {data.absolute()}"
    if free >= _FREE_BYTES_MIN:
        yield Finding("good", what)
    else:
        yield Finding("weak", what, "free some space, or give --data on a larger disk")
    if not os.access(place, os.W_OK):
        yield Finding("bad", f"{place} cannot be written", "give a writable directory to --data")
    if data.exists() and any(data.iterdir()):
        yield from _existing(DataDir(data), running)


def _existing(data_dir: DataDir, running: Running) -> Iterator[Finding]:
    if not (data_dir.path / "secrets.json").exists():
        yield Finding(
            "bad",
            f"{data_dir.path} is not empty and not a Penstock data directory",
            "give another directory to --data",
        )
        return
    yield from running.findings
    for name in ("owner-token", "secrets.json", "resume-keys", "nats/server.conf"):
        file = data_dir.path / name
        if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
            yield Finding("bad", f"{file} can be read by others", f"chmod 600 {file}")
    if data_dir.path.stat().st_uid != os.geteuid():
        yield Finding(
            "bad", f"{data_dir.path} belongs to somebody else", "run as the user who made it"
        )
