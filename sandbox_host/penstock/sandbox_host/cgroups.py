"""Control groups for workers, where this process may make them: memory, processes, CPU.

A second wall behind the resource limits: those count address space of one process, a group counts
what it really uses. Version 1 and 2 are served; where neither can be written (an ordinary user
without delegation, most containers) there is no group, and `kind` says `rlimits only`.
"""

import contextlib
import os
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_V1_CONTROLLERS = ("memory", "pids", "cpu")
_CPU_PERIOD_US = 100_000


class Group:
    """One worker's group: a directory per hierarchy. `close` removes it."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders
        self.is_closed = False

    def attach(self, pid: int) -> None:
        """Move a process in. Zero would move the caller itself, so it is refused."""
        assert pid > 0
        for folder in self._folders:
            _write(folder / "cgroup.procs", str(pid))

    def close(self) -> None:
        """Remove the group; it must be empty."""
        self.is_closed = True
        for folder in self._folders:
            with contextlib.suppress(OSError):
                folder.rmdir()


class Groups:
    """Makes groups. `kind` is `cgroup v1`, `cgroup v2` or `rlimits only`."""

    def __init__(self, *, memory_bytes: int, processes: int, cpus: float) -> None:
        self._memory_bytes = memory_bytes
        self._processes = processes
        self._cpus = cpus
        self._made = 0
        self._groups: list[Group] = []
        self.kind = "rlimits only"
        _remove_leftovers()
        for kind, make in (("cgroup v1", self._make_v1), ("cgroup v2", self._make_v2)):
            try:
                make("probe").close()
            except OSError:
                continue
            self.kind = kind
            self._make = make
            break

    def create(self) -> Group | None:
        """A new group, `None` where there can be none."""
        if self.kind == "rlimits only":
            return None
        self._made += 1
        try:
            group = self._make(str(self._made))
        except OSError:
            return None
        self._groups = [each for each in self._groups if not each.is_closed] + [group]
        return group

    def close(self) -> None:
        """Remove every group that is still there."""
        for group in self._groups:
            group.close()

    def _make_v1(self, name: str) -> Group:
        folders = [_ROOT / each / f"penstock-{os.getpid()}-{name}" for each in _V1_CONTROLLERS]
        if not all((_ROOT / each / "cgroup.procs").exists() for each in _V1_CONTROLLERS):
            raise FileNotFoundError("no cgroup v1 controllers")
        memory, processes, cpu = folders
        group = Group(folders)
        try:
            for folder in folders:
                folder.mkdir(exist_ok=True)
            _write(memory / "memory.limit_in_bytes", str(self._memory_bytes))
            _write(processes / "pids.max", str(self._processes))
            _write(cpu / "cpu.cfs_period_us", str(_CPU_PERIOD_US))
            _write(cpu / "cpu.cfs_quota_us", str(int(self._cpus * _CPU_PERIOD_US)))
        except OSError:
            group.close()
            raise
        return group

    def _make_v2(self, name: str) -> Group:
        own = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip()
        folder = _ROOT / own.strip("/") / f"penstock-{os.getpid()}-{name}"
        if not (_ROOT / "cgroup.controllers").exists():
            raise FileNotFoundError("no cgroup v2 hierarchy")
        folder.mkdir(exist_ok=True)
        group = Group([folder])
        try:
            _write(folder / "memory.max", str(self._memory_bytes))
            _write(folder / "memory.swap.max", "0")
            _write(folder / "memory.oom.group", "1")
            _write(folder / "pids.max", str(self._processes))
            _write(folder / "cpu.max", f"{int(self._cpus * _CPU_PERIOD_US)} {_CPU_PERIOD_US}")
        except OSError:
            group.close()
            raise
        return group


def _remove_leftovers() -> None:
    """Remove groups of hosts that died without doing so: their workers died with them."""
    for controller in _V1_CONTROLLERS:
        for folder in (_ROOT / controller).glob("penstock-*-*"):
            owner = folder.name.split("-")[1]
            if owner.isdigit() and not Path(f"/proc/{owner}").exists():
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _write(path: Path, text: str) -> None:
    # os.write, because a buffered file swallows the error that the kernel answers with.
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
