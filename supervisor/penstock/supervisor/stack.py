"""The tree behind `penstock up`: every program of one machine, in start order.

    penstock                 one_for_one
      broker                 nats, or nats-1 … nats-N of a cluster
      database               postgres, unless PENSTOCK_POSTGRES_URL names one
      projector
      sandbox-hosts
      actors                 N
      gateways               N, on one address

Servers come first and go last; gateways come last and go first, so that what was accepted can
still be finished while the rest stands. Only the broker is awaited, with its streams: everything
else starts at once and waits for what it needs. Programs are started by name, and each is given
the credentials of its own role and no more: what runs user code sees no database and no token.

Restart budgets: 10 in a minute for each group, over 3 in a minute at the root. A program that
dies of a lasting fault is thus given up after half a minute, and with it the stack, loudly.
"""

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from penstock.supervisor import postgres
from penstock.supervisor.broker import Broker
from penstock.supervisor.data_dir import DataDir
from penstock.supervisor.log_file import ErrorOutput, LogFile
from penstock.supervisor.nats import NatsServer
from penstock.supervisor.process import Program, process_child
from penstock.supervisor.readiness import wait_for_room
from penstock.supervisor.spec import ChildSpec, RestartIntensity, SupervisorSpec
from penstock.supervisor.supervisor import OnEvent, supervisor_child

GROUP = RestartIntensity(restarts=10, window_s=60.0)
ROOT = RestartIntensity(restarts=3, window_s=60.0)

SANDBOX_SHUTDOWN_S = 1.5
SANDBOX_DRAIN_S = 1.0
"""Less than it is given to end: a sandbox host that is killed gives nothing back, and its steps
wait until the broker misses it."""

MODULES = {
    "gateway": "penstock.gateway",
    "actors": "penstock.actors",
    "projector": "penstock.actors.projector",
    "sandbox_host": "penstock.sandbox_host",
}

_PASSED_ON = (
    *("PENSTOCK_LOG_LEVEL", "PENSTOCK_TIMEZONE", "PENSTOCK_PUBLIC_URL", "PENSTOCK_HISTORY_DAYS"),
    *("PENSTOCK_TIERS", "PENSTOCK_SANDBOX", "PENSTOCK_EGRESS_ALLOW", "PENSTOCK_CRASH_POINTS"),
    *("PENSTOCK_ACCEPTS_HISTORY_GAP", "PENSTOCK_ACCEPTS_JOURNAL_GAP"),
)
_BARE = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", *_PASSED_ON)


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """What a person may choose about the stack. `modules` lets tests put in programs of theirs."""

    data_dir: DataDir
    listeners: Sequence[socket.socket]
    broker: Broker
    gateways: int = 1
    actors: int = 1
    partitions: int = 16
    region: str = "local"
    postgres_url: str = ""
    modules: Mapping[str, str] = field(default_factory=lambda: MODULES)
    on_event: OnEvent | None = None
    shown_on: ErrorOutput | None = None

    @property
    def url(self) -> str:
        """Where the gateway is to be found."""
        host, port = self.listeners[0].getsockname()[:2]
        reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"http://{f'[{reachable}]' if ':' in reachable else reachable}:{port}"


def stack(settings: StackSettings) -> SupervisorSpec:
    """The tree of these settings. Writes Postgres's configuration, starts nothing."""
    return SupervisorSpec(name="penstock", children=_Stack(settings).groups(), intensity=ROOT)


class _Stack:
    """Makes the child specs of one start of the stack."""

    def __init__(self, settings: StackSettings) -> None:
        self._settings = settings
        self._data = settings.data_dir
        self._broker = settings.broker
        self._data.nats_url_file.write_text(self._broker.url + "\n")
        own = None if settings.postgres_url else postgres.configure(self._data)
        self._postgres = own
        self._postgres_url = settings.postgres_url if own is None else own.url

    def groups(self) -> list[ChildSpec]:
        """The children of the root, in start order."""
        many = self._settings
        return [
            self._group(
                "broker", [self._server(one) for one in self._broker.servers], is_awaited=True
            ),
            self._group("database", self._databases()),
            self._group("projector", [self._child("projector", "projector", shutdown_s=1.5)]),
            self._group(
                "sandbox-hosts",
                [self._child("sandbox_host", "sandbox", shutdown_s=SANDBOX_SHUTDOWN_S)],
            ),
            self._group(
                "actors",
                [
                    self._child("actors", "actors", number=number, shutdown_s=2.5)
                    for number in range(1, many.actors + 1)
                ],
            ),
            self._group(
                "gateways",
                [
                    self._child("gateway", "gateway", number=number, shutdown_s=3.0)
                    for number in range(1, many.gateways + 1)
                ],
            ),
        ]

    def _group(
        self, name: str, children: Sequence[ChildSpec], *, is_awaited: bool = False
    ) -> ChildSpec:
        return supervisor_child(
            SupervisorSpec(name=name, children=children, intensity=GROUP),
            on_event=self._settings.on_event,
            is_awaited=is_awaited,
            path=f"penstock/{name}",
        )

    def _server(self, server: NatsServer) -> ChildSpec:
        """A server of the broker. Those of a cluster start together: alone none gets ready."""
        name = self._broker.program_of(server)
        log = self._log(name, is_shown=False)
        program = Program(
            name=name,
            argv=server.argv,
            env=_environment(is_bare=True),
            before=lambda: wait_for_room(server.store, log),
            probe=lambda pid: self._broker.wait_until_ready(server, log),
            pid_file=self._data.run / f"{name}.pid",
            on_line=log,
        )
        return process_child(program, shutdown_s=2.0, is_awaited=not self._broker.is_cluster)

    def _databases(self) -> list[ChildSpec]:
        if self._postgres is None:
            return []
        own, log = self._postgres, self._log("postgres", is_shown=False)

        async def before() -> None:
            await wait_for_room(own.directory, log)
            await own.before_start()

        server = replace(
            own.program(),
            env=_environment(is_bare=True),
            before=before,
            pid_file=self._data.run / "postgres.pid",
            on_line=log,
        )
        return [process_child(server, shutdown_s=2.0, is_awaited=False)]

    def _child(self, kind: str, role: str, *, shutdown_s: float, number: int = 0) -> ChildSpec:
        name = f"{kind}-{number}" if number else kind
        is_gateway = kind == "gateway"
        program = Program(
            name=name,
            argv=(sys.executable, "-m", self._settings.modules[kind]),
            env=self._environment_of(role) | self._sockets_of(number if is_gateway else 0),
            pass_fds=[one.fileno() for one in self._settings.listeners] if is_gateway else (),
            pid_file=self._data.run / f"{name}.pid",
            on_line=self._log(name),
        )
        return process_child(program, shutdown_s=shutdown_s, is_awaited=False)

    def _environment_of(self, role: str) -> dict[str, str]:
        env = _environment(is_bare=role == "sandbox") | self._broker.env(role)
        env["PENSTOCK_REGION"] = self._settings.region
        env["PENSTOCK_PARTITIONS"] = str(self._settings.partitions)
        env["PENSTOCK_DATA_DIR"] = str(self._data.path)
        env.setdefault("PENSTOCK_PUBLIC_URL", self._settings.url)
        if role == "sandbox":
            env["PENSTOCK_DRAIN_S"] = str(SANDBOX_DRAIN_S)
        if role == "projector":
            env["PENSTOCK_POSTGRES_URL"] = self._postgres_url
        if role == "gateway":
            env["PENSTOCK_BROKER_STORE"] = str(self._data.nats)
            env["PENSTOCK_LISTEN"] = self._settings.url.removeprefix("http://")
            env["PENSTOCK_OWNER_TOKEN_FILE"] = str(self._data.owner_token_file)
        return env

    def _sockets_of(self, gateway: int) -> dict[str, str]:
        """The socket of the gateway with this number, and those of its siblings."""
        if not gateway:
            return {}
        own = self._settings.listeners[gateway - 1]
        siblings = [str(one.fileno()) for one in self._settings.listeners if one is not own]
        return {
            "PENSTOCK_LISTEN_FD": str(own.fileno()),
            "PENSTOCK_SIBLING_FDS": ",".join(siblings),
        }

    def _log(self, name: str, *, is_shown: bool = True) -> LogFile:
        shown_on = self._settings.shown_on if is_shown else None
        return LogFile(self._data.logs / f"{name}.log", shown_on)


def _environment(*, is_bare: bool) -> dict[str, str]:
    """Our environment for a child: never our secrets; bare: nothing but what it must have."""
    if is_bare:
        return {name: os.environ[name] for name in _BARE if name in os.environ}
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PENSTOCK_") or name in _PASSED_ON
    }
