"""`python -m penstock.actors.projector`: reads its surroundings, projects, answers, until SIGTERM.

It is ready when it answers questions with what is in the database. Where Postgres is away for
longer than `DATABASE_S` it is ready all the same, and answers by saying so: an outage is waited out
inside, never handed to the supervisor.
"""

import asyncio
import logging
import os
import signal
import sys

import uvloop

from penstock.actors.history.answering import Answering
from penstock.actors.history.store import Store
from penstock.actors.plans import Plans
from penstock.actors.projector.projector import Projector, Settings
from penstock.nodes.registry import REGISTRY
from penstock.subjects import ids, logs, names
from penstock.subjects.blobs import BlobStore
from penstock.subjects.bus import Bus
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.clock import Clock, SystemClock
from penstock.subjects.codec import Codec
from penstock.subjects.collecting import collect_rarely
from penstock.subjects.config import Config, check_postgres_url
from penstock.subjects.errors import PenstockError
from penstock.subjects.messages import Heartbeat
from penstock.supervisor.readiness import unless

HEARTBEAT_S = 1.0
DATABASE_S = 5.0
HEARTBEAT: Codec[Heartbeat] = Codec(Heartbeat)

log = logging.getLogger("penstock.projector")


async def serve(config: Config) -> None:
    """Run until SIGTERM or SIGINT."""
    if not config.postgres_url:
        raise PenstockError(
            "PENSTOCK_POSTGRES_URL is not set",
            remedy="start this program through `penstock up`, or set the address of your Postgres",
        )
    check_postgres_url(config.postgres_url)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    clock = SystemClock()
    connecting = NatsBus.connect(
        config.nats_url,
        user=config.nats_user,
        password=config.nats_password,
        name="penstock.projector",
    )
    bus = await unless(stopped, connecting)
    if bus is None:
        return
    blobs = BlobStore.local(config.data_dir / "blobs")
    settings = Settings(
        postgres_url=config.postgres_url,
        region=config.region,
        keep_days=config.history_days,
        accepts_gap=config.accepts_history_gap,
        patience_s=DATABASE_S,
    )
    projector = Projector(bus, blobs, clock, settings)
    store = Store(config.postgres_url, blobs)
    plans = Plans(bus, REGISTRY, timezone=config.timezone)
    answering = Answering(bus, store, plans, projector)
    answering.start(config.region, config.partitions)
    tasks = [
        asyncio.create_task(projector.run()),
        asyncio.create_task(beat(bus, clock, projector)),
        asyncio.create_task(stopped.wait()),
    ]
    reaching = asyncio.create_task(projector.storing.wait())
    await asyncio.wait([*tasks, reaching], timeout=DATABASE_S, return_when=asyncio.FIRST_COMPLETED)
    reaching.cancel()
    logs.ready()
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    answering.close()
    plans.close()
    for task in tasks:
        task.cancel()
    await store.close()
    await bus.close()
    for task in done:
        task.result()


async def beat(bus: Bus, clock: Clock, projector: Projector) -> None:
    """Tell that this program lives."""
    started_ms = clock.now_ms()
    program = ids.new_id(started_ms)
    while True:
        problems = [each for each in (projector.problem, projector.gap) if each]
        sign = Heartbeat("projector", program, os.getpid(), started_ms, problems=problems)
        bus.publish(names.heartbeat("projector", program), HEARTBEAT.encode(sign))
        await asyncio.sleep(HEARTBEAT_S)


def main() -> int:
    """The program; the result is its exit status."""
    logs.configure(program="projector")
    try:
        config = Config.from_env()
        logs.set_level(config.log_level)
        collect_rarely()
        uvloop.run(serve(config))
    except PenstockError as error:
        logs.failed(error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
