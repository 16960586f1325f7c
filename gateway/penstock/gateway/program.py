"""The gateway as a program: listen at once, serve when routes are known, drain when told to stop.

The socket is bound before anything else, so that callers get "503, try again" and never a refused
connection while the broker is still away. A socket that a supervisor holds is served only once
there is something to answer, so that a rolling restart is no error to anybody. Draining closes the
listening socket, lets what is in flight have its answer for `DRAIN_S`, tells the rest that its
execution goes on without them, and ends, well within the time that the supervisor gives. Before it
closes what is idle it answers for `LAST_CALL_S` with `connection: close`: who uses a connection
again and again learns so that it must not, instead of meeting a reset with a request on its way.
"""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Iterator

import uvicorn

from penstock.gateway.front import Front
from penstock.gateway.http_protocol import GatewayProtocol, tick_all
from penstock.gateway.lifecycle import Lifecycle
from penstock.gateway.metrics import Metrics
from penstock.gateway.parts import Parts, Surroundings, assemble
from penstock.gateway.relief import relieve, sockets_of
from penstock.nodes.registry import REGISTRY
from penstock.subjects import logs
from penstock.subjects.blobs import BlobStore
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.clock import SystemClock
from penstock.subjects.config import Config
from penstock.subjects.ids import new_id
from penstock.subjects.resume_urls import FILE as RESUME_KEYS
from penstock.subjects.resume_urls import ResumeKeys
from penstock.subjects.workflows import WORKFLOWS

PATIENCE_S = 3.0
LAST_CALL_S = 0.3
DRAIN_S = 1.5
FAREWELL_S = 1
KEEP_ALIVE_S = 75
BACKLOG = 2_048
ACCEPTING_S = 0.02

log = logging.getLogger("penstock.gateway")


class _Server(uvicorn.Server):
    """uvicorn's server, leaving signals to the program."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.servers: list[asyncio.Server] = []

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def protocol(self) -> GatewayProtocol:
        """Serves a connection that was accepted elsewhere."""
        return GatewayProtocol(self.config, self.server_state, app_state={})

    async def last_call(self, listener: socket.socket, *, is_held: bool) -> None:
        """Accept nobody any more, and let each answer be the last of its connection."""
        if not is_held and self.servers:
            # A socket that closes resets whom it has not accepted yet.
            listener.listen(0)
            await asyncio.sleep(ACCEPTING_S)
        for server in self.servers:
            server.close()
        state = self.server_state
        self.config.encoded_headers.append((b"connection", b"close"))
        state.default_headers = [*state.default_headers, (b"connection", b"close")]
        await asyncio.sleep(LAST_CALL_S)


async def run(config: Config) -> None:
    """Run a gateway until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    life = Lifecycle(Metrics())
    front = Front(life, config.owner_token_file)
    listener = held(config.listen_fd) if config.listen_fd >= 0 else listen(config.listen)
    server = _server(front)
    patience_s = PATIENCE_S if config.listen_fd >= 0 else 0.0
    serving = asyncio.create_task(_serve(server, listener, life, patience_s))
    work = asyncio.create_task(_work(config, front, listener))
    ticking = asyncio.create_task(tick_all(server.server_state.connections))
    relieving = asyncio.create_task(_relieve(server, sockets_of(config.sibling_fds), life))
    stopped = asyncio.create_task(stopping.wait())
    try:
        done, _ = await asyncio.wait(
            [serving, work, ticking, relieving, stopped], return_when="FIRST_COMPLETED"
        )
        for task in done - {stopped}:
            task.result()
    finally:
        life.is_draining = True
        life.may_serve.set()
        relieving.cancel()
        if not serving.done():
            await server.last_call(listener, is_held=config.listen_fd >= 0)
        await _drain(life, server, serving, work)
        ticking.cancel()


async def _serve(
    server: uvicorn.Server, listener: socket.socket, life: Lifecycle, patience_s: float
) -> None:
    """Serve once it can answer, or after `patience_s`: on a socket that is held for us, callers
    wait in its backlog meanwhile, or another gateway answers them."""
    opening = asyncio.create_task(life.may_serve.wait())
    await asyncio.wait([opening], timeout=patience_s)
    opening.cancel()
    await server.serve(sockets=[listener])


async def _relieve(server: _Server, siblings: list[socket.socket], life: Lifecycle) -> None:
    """Run for ever: while this gateway answers, it answers for its siblings too."""
    await life.may_serve.wait()
    if siblings:
        await relieve(siblings, server.protocol)
    await asyncio.Event().wait()


async def _work(config: Config, front: Front, listener: socket.socket) -> None:
    """Reach the broker, learn the routes, open; then keep going until cancelled."""
    resume_keys = ResumeKeys(config.data_dir / RESUME_KEYS)
    bus = await NatsBus.connect(
        config.nats_url, user=config.nats_user, password=config.nats_password, name="gateway"
    )
    clock = SystemClock()
    host, port = listener.getsockname()[:2]
    parts = assemble(
        Surroundings(
            bus=bus,
            blobs=BlobStore.local(config.data_dir / "blobs"),
            clock=clock,
            types=REGISTRY,
            metrics=front.life.metrics,
            gateway=new_id(clock.now_ms()),
            region=config.region,
            partitions=config.partitions,
            public_url=config.public_url.rstrip("/") or f"http://{host}:{port}",
            resume_keys=resume_keys,
        )
    )
    front.attach(parts)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(parts.catalog.follow(bus.bucket(WORKFLOWS)))
            tasks.create_task(parts.replies.sweep())
            tasks.create_task(parts.ingress.room.watch(config.broker_store))
            tasks.create_task(parts.programs.beat())
            await parts.catalog.loaded.wait()
            front.open()
            logs.ready(f"{host}:{port}")
    finally:
        parts.programs.tell(draining=True)
        await _close(parts, bus)


async def _drain(
    life: Lifecycle,
    server: uvicorn.Server,
    serving: "asyncio.Task[None]",
    work: "asyncio.Task[None]",
) -> None:
    if life.parts is not None:
        life.parts.taps.stop()
    server.should_exit = True
    done, _ = await asyncio.wait([serving], timeout=DRAIN_S - LAST_CALL_S)
    if not done and life.parts is not None:
        life.parts.replies.give_up()
    await asyncio.wait([serving], timeout=FAREWELL_S)
    work.cancel()
    await asyncio.wait([work], timeout=2)
    logs.say("stopped")


async def _close(parts: Parts, bus: NatsBus) -> None:
    parts.replies.stop()
    parts.programs.stop()
    with contextlib.suppress(Exception):
        async with asyncio.timeout(1):
            await bus.close()


def _server(front: Front) -> _Server:
    return _Server(
        uvicorn.Config(
            front,
            http=GatewayProtocol,
            loop="none",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # Whoever connects could write them; see `clients`.
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=round(DRAIN_S + FAREWELL_S),
            backlog=BACKLOG,
        )
    )


def listen(address: str) -> socket.socket:
    """A listening socket on `host:port`; port 0 lets the system choose."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, int(port)))
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def held(fd: int) -> socket.socket:
    """The socket that our supervisor holds: it listens already, and outlives us."""
    listener = socket.socket(fileno=fd)
    listener.setblocking(False)
    return listener
