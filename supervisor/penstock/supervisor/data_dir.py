"""The data directory: where everything of one installation lives, and who may hold it.

    lock            held while `up` runs; the kernel lets go of it when the process dies
    owner-token     the key to the API, 0600
    secrets.json    passwords between our own programs, 0600
    resume-keys     what signs the addresses that resume executions, 0600
    partitions      how many, fixed at the first start
    address         where the gateway listens, for the other commands
    port            of the addresses that were given away, to be had again at each start
    nats/ postgres/ blobs/ segments/ plugins/   the programs' own data
    logs/ run/      logs, pid files, and the tree as last seen

Secrets are made once, from the system's randomness, in files that nobody else can read from
their first byte on. Nothing here has a default password.
"""

import fcntl
import json
import os
import shutil
import time
from pathlib import Path
from typing import IO, Annotated

import msgspec

from penstock.subjects.errors import PenstockError
from penstock.supervisor import randomness

ROLES = ("gateway", "actors", "sandbox", "projector", "admin", "tap")
"""The NATS users: one per kind of program, one for whoever creates streams, one for watchers."""

PARTITIONS_MIN = 4
_PASSWORD_BYTES = 24
_LOCK_PATIENCE_S = 0.5


class _FileBudget(msgspec.Struct):
    file_bytes: Annotated[int, msgspec.Meta(gt=0)]


class DataDirInUseError(PenstockError):
    """Another `penstock up` runs on this directory."""


class DataDir:
    """One installation's directory. Making the object touches nothing; `prepare` does."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.nats = self.path / "nats"
        self.postgres = self.path / "postgres"
        self.logs = self.path / "logs"
        self.run = self.path / "run"
        self.owner_token_file = self.path / "owner-token"
        self.address_file = self.path / "address"
        self.port_file = self.path / "port"
        self.nats_url_file = self.run / "nats-url"
        self.tree_file = self.run / "tree.json"
        self._lock: IO[str] | None = None

    def prepare(self) -> None:
        """Create what is missing; refuses a directory that holds something else."""
        is_ours = (self.path / "secrets.json").exists() or (self.path / "lock").exists()
        try:
            if self.path.exists() and not is_ours and any(self.path.iterdir()):
                raise PenstockError(
                    f"{self.path} is not empty and not a Penstock data directory",
                    remedy="give an empty or new directory to --data",
                )
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for directory in (self.nats, self.logs, self.run):
                directory.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise PenstockError(
                f"the data directory cannot be used: {error}",
                remedy="give a writable directory to --data",
            ) from error

    def lock(self) -> None:
        """Hold the directory until this process ends, however it ends."""
        file = (self.path / "lock").open("a+")
        # Whoever only asks (`is_locked`) holds it for a moment, and so does a dying holder.
        deadline_s = time.monotonic() + _LOCK_PATIENCE_S
        while not _try_lock(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline_s:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                file.close()
                raise DataDirInUseError(
                    f"{self.path} is in use by another `penstock up` (pid {holder})",
                    remedy="stop it, or give another directory to --data",
                )
            time.sleep(0.02)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._lock = file

    @property
    def is_locked(self) -> bool:
        """Whether some `up` runs on this directory."""
        try:
            with (self.path / "lock").open() as file:
                return not _try_lock(file, fcntl.LOCK_SH)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def owner_token(self) -> str:
        """The owner's token, made at the first call."""
        if not self.owner_token_file.exists():
            write_secret(self.owner_token_file, randomness.secret(32) + "\n")
        if token := self.owner_token_file.read_text().strip():
            return token
        raise damaged(self.owner_token_file, "remove it: the next start makes another one")

    @property
    def secrets(self) -> dict[str, str]:
        """All secrets that were made."""
        file = self.path / "secrets.json"
        if not file.exists():
            # New ones would not do: the database knows the password that was in it.
            if (self.postgres / "PG_VERSION").exists():
                raise PenstockError(
                    f"{file} is missing", remedy="restore it from a copy of the data directory"
                )
            return {}
        try:
            return msgspec.json.decode(file.read_bytes(), type=dict[str, str])
        except msgspec.DecodeError as error:
            raise damaged(file, "restore it from a copy of the data directory") from error

    def secret(self, name: str) -> str:
        """The secret of this name, made at the first call."""
        file = self.path / "secrets.json"
        known = self.secrets
        if name not in known:
            known[name] = randomness.secret(_PASSWORD_BYTES)
            write_secret(file, json.dumps(known, indent=1))
        return known[name]

    def partitions(self, wanted: int) -> int:
        """How many partitions this installation has: what its first start said (0: two a core).

        A key's partition follows from the number, so changing it would lose sight of everything
        that is open.
        """
        file = self.path / "partitions"
        if not file.exists():
            by_cores = max(PARTITIONS_MIN, 2 * (os.cpu_count() or 1))
            write_durably(file, f"{wanted or by_cores}\n")
        try:
            fixed = int(file.read_text())
        except ValueError as error:
            remedy = "write into it the number with which the directory was made (see `owns` in"
            raise damaged(file, f"{remedy} {self.logs / 'actors-1.log'})") from error
        if wanted not in (0, fixed):
            raise PenstockError(
                f"{self.path} was made with {fixed} partitions, which cannot be changed",
                remedy=f"leave --partitions out, or give --partitions {fixed}",
            )
        return fixed

    def file_budget_bytes(self) -> int:
        """What the streams may take: half of the disk's free space at the first start.

        It is fixed then, because a later, smaller figure would make the broker drop messages.
        """
        file = self.nats / "budget.json"
        if not file.exists():
            free = shutil.disk_usage(self.nats).free
            write_durably(file, json.dumps({"file_bytes": min(free // 2, 256 * 1024**3)}))
        try:
            return msgspec.json.decode(file.read_bytes(), type=_FileBudget).file_bytes
        except msgspec.DecodeError as error:
            remedy = 'write {"file_bytes": N} into it, N bytes being more than the streams hold'
            raise damaged(file, remedy) from error


def damaged(file: Path, remedy: str) -> PenstockError:
    """The error of a file of ours that cannot be read as what it is."""
    size = file.stat().st_size
    return PenstockError(f"{file} is {'damaged' if size else 'empty'}", remedy=remedy)


def _try_lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_secret(file: Path, text: str) -> None:
    """Write a file for our eyes only, whole or not at all."""
    write_durably(file, text, mode=0o600)


def write_durably(file: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file whole or not at all; when it returns, a power cut leaves it."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
