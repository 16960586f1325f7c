"""The sandbox host as a program: connects, serves its tiers, tells that it lives, drains.
A broker that is away or whose streams do not answer is waited for.

Environment beside `Config`'s: that of `environment`, and PENSTOCK_READY_FD (a descriptor that gets
`ready`).
"""

import asyncio
import contextlib
import os
import secrets
import signal
import time
from dataclasses import dataclass
from functools import partial

from penstock.sandbox_host.egress import EgressPolicy
from penstock.sandbox_host.environment import CHECKS, is_weak, wanted_tiers
from penstock.sandbox_host.executor import Executor
from penstock.sandbox_host.host import TierServer
from penstock.sandbox_host.plans import Plans
from penstock.sandbox_host.pool import PoolSettings, ProcessPool
from penstock.sandbox_host.services import Services
from penstock.sandbox_host.static_data import StaticDataReader
from penstock.subjects import logs, names
from penstock.subjects.blobs import BlobStore
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.codec import Codec
from penstock.subjects.collecting import collect_rarely
from penstock.subjects.config import Config, refuse_bad
from penstock.subjects.errors import BusError, PenstockError
from penstock.subjects.messages import Heartbeat
from penstock.supervisor.readiness import unless, wait_for

_HEARTBEAT_S = 1.0
_SLOTS = {"process": 16, "trusted": 64}
_HEARTBEATS: Codec[Heartbeat] = Codec(Heartbeat)


def main() -> int:
    """Run until SIGTERM; 0 after a clean drain, 1 when it could not start."""
    logs.configure(program="sandbox-host")
    try:
        config = Config.from_env()
        refuse_bad(CHECKS, os.environ)
        logs.set_level(config.log_level)
        run = asyncio.run
        with contextlib.suppress(ImportError):
            from uvloop import run
        run(_serve(config, wanted_tiers(os.environ.get("PENSTOCK_TIERS", ""))))
    except PenstockError as error:
        logs.failed(error)
        return 1
    return 0


@dataclass(slots=True)
class _Host:
    """What one process holds."""

    id: str
    bus: NatsBus
    pool: ProcessPool
    services: Services
    servers: list[TierServer]
    started_ms: int


async def _serve(config: Config, tiers: tuple[str, ...]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    host = await unless(stop, _start(config, tiers))
    if host is None:
        return
    collect_rarely()
    beating = asyncio.ensure_future(_beat(host))
    logs.ready(id=host.id, tiers=list(tiers))
    telling = asyncio.ensure_future(_tell_isolation(host))
    await stop.wait()
    telling.cancel()
    logs.say("draining", id=host.id)
    await asyncio.gather(*(server.drain(config.drain_s) for server in host.servers))
    beating.cancel()
    await host.pool.close()
    await host.services.close()
    await host.bus.close()
    logs.say("stopped", id=host.id, finished=sum(server.finished for server in host.servers))


async def _start(config: Config, tiers: tuple[str, ...]) -> _Host:
    host_id = secrets.token_hex(6)
    bus = await NatsBus.connect(
        config.nats_url,
        user=config.nats_user,
        password=config.nats_password,
        name=f"sandbox-{host_id}",
    )
    pool = ProcessPool(PoolSettings(allow_weak=is_weak(os.environ.get("PENSTOCK_SANDBOX", ""))))
    await pool.start()
    services = Services(
        policy=EgressPolicy.from_text(os.environ.get("PENSTOCK_EGRESS_ALLOW", "")),
        blobs=BlobStore.local(config.data_dir / "blobs"),
    )
    executor = Executor(
        Plans(bus, timezone=config.timezone),
        pool,
        host_id=host_id,
        services=services,
        static_data=StaticDataReader(bus),
    )
    servers = [
        TierServer(
            bus,
            executor,
            region=config.region,
            tier=tier,
            slots=_SLOTS[tier],
        )
        for tier in tiers
    ]
    for server in servers:
        await wait_for(partial(_joined, server), on_outage=_tell_outage, expected=(BusError,))
    return _Host(host_id, bus, pool, services, servers, time.time_ns() // 1_000_000)


async def _joined(server: TierServer) -> bool:
    await server.start()
    return True


def _tell_outage(reason: str) -> None:
    logs.say("waiting", why=reason)


async def _tell_isolation(host: _Host) -> None:
    """Half of the layers are a worker's own: which there are is known when the first one is up."""
    await host.pool.has_tried.wait()
    logs.say("isolation", id=host.id, **host.pool.isolation.report())


async def _beat(host: _Host) -> None:
    """A sign of life each second."""
    subject = names.heartbeat("sandbox", host.id)
    while True:
        free = sum(server.free for server in host.servers)
        beat = Heartbeat("sandbox", host.id, os.getpid(), host.started_ms, free=free)
        if host.pool.has_tried.is_set():
            beat.isolation = host.pool.isolation.report()
        beat.problems = _problems(host.pool)
        host.bus.publish(subject, _HEARTBEATS.encode(beat))
        await asyncio.sleep(_HEARTBEAT_S)


def _problems(pool: ProcessPool) -> list[str]:
    refused = [f"user code is refused: {pool.problem}"] if pool.problem else []
    waits = [f"user code waits: {pool.outage}"] if pool.outage else []
    return refused + waits
