"""The actor host as a program: connects, owns its partitions, tells that it lives, hands over.

Environment beside `Config`'s: PENSTOCK_READY_FD (a descriptor that gets `ready` when the host
owns what it should).
"""

import asyncio
import contextlib
import os
import secrets
import signal
from functools import partial

from penstock.actors.host import Host
from penstock.actors.shared import Shared
from penstock.nodes.registry import REGISTRY
from penstock.subjects import logs
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.clock import SystemClock
from penstock.subjects.collecting import collect_rarely
from penstock.subjects.config import Config
from penstock.subjects.errors import PenstockError
from penstock.subjects.resume_urls import FILE as RESUME_KEYS
from penstock.subjects.resume_urls import ResumeKeys, ResumeUrls
from penstock.supervisor.readiness import unless
from penstock.supervisor.spec import SupervisorSpec
from penstock.supervisor.supervisor import SupervisorEvent, start_supervisor
from penstock.supervisor.task import task_child

DRAIN_S = 2.0


def main() -> int:
    """Run until SIGTERM; 0 after a clean hand-over, 1 when it could not start or gave up."""
    logs.configure(program="actors")
    try:
        config = Config.from_env()
        logs.set_level(config.log_level)
        collect_rarely()
        run = asyncio.run
        with contextlib.suppress(ImportError):
            from uvloop import run
        return run(_serve(config))
    except PenstockError as error:
        logs.failed(error)
        return 1


async def _serve(config: Config) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    owner = secrets.token_hex(6)
    shared = await unless(stop, _reach(config, owner))
    if shared is None:
        return 0
    host = Host(shared, pid=os.getpid())
    tree = await start_supervisor(
        SupervisorSpec(
            name="actors",
            children=[
                task_child("heartbeat", host.beat),
                task_child("placement", host.place),
                task_child("canary", host.canary.run),
                task_child("room", host.room.run),
            ],
        ),
        on_event=partial(_tell_part, stop),
    )
    ending = asyncio.ensure_future(tree.ended())
    stopping = asyncio.ensure_future(stop.wait())
    becoming_ready = asyncio.ensure_future(_tell_ready(host, owner))
    await asyncio.wait((ending, stopping), return_when=asyncio.FIRST_COMPLETED)
    becoming_ready.cancel()
    logs.say("draining", id=owner)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            await host.drain()
    has_failed = ending.done()
    tree.stop()
    await ending
    host.close()
    shared.close()
    await shared.bus.close()
    logs.say("stopped", id=owner)
    return 1 if has_failed else 0


async def _reach(config: Config, owner: str) -> Shared:
    """What there is with the broker, however long that takes."""
    bus = await NatsBus.connect(
        config.nats_url,
        user=config.nats_user,
        password=config.nats_password,
        name=f"actors-{owner}",
    )
    keys = ResumeKeys(config.data_dir / RESUME_KEYS)
    shared = Shared(
        bus,
        SystemClock(),
        config.region,
        config.partitions,
        owner,
        REGISTRY,
        resume_url=ResumeUrls(config.public_url, keys),
        timezone=config.timezone,
        accepts_gap=config.accepts_journal_gap,
    )
    await shared.start()
    return shared


def _tell_part(stop: asyncio.Event, event: SupervisorEvent) -> None:
    if event.event not in ("started", "ready") and not stop.is_set():
        logs.say("part", what=event.event, path=event.path, why=event.detail)


async def _tell_ready(host: Host, owner: str) -> None:
    await host.ready.wait()
    logs.ready(id=owner, owns=sorted(host.partitions))
