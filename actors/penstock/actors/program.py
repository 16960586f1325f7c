"""The actor host as a program: connects, owns its partitions, tells that it lives, hands over.

Environment beside `Config`'s: PENSTOCK_READY_FD (a descriptor that gets `ready` when the host
owns what it should).
"""

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import signal
import sys
import time

import msgspec

from penstock.actors.host import Host
from penstock.actors.shared import Shared
from penstock.nodes.registry import REGISTRY
from penstock.subjects import logs
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.clock import SystemClock
from penstock.subjects.config import Config
from penstock.subjects.errors import PenstockError
from penstock.subjects.resume_urls import FILE as RESUME_KEYS
from penstock.subjects.resume_urls import ResumeKeys, ResumeUrls
from penstock.supervisor.spec import SupervisorSpec
from penstock.supervisor.supervisor import SupervisorEvent, start_supervisor
from penstock.supervisor.task import task_child

DRAIN_S = 2.0


class JsonLines(logging.Formatter):
    """Log records as one line of JSON each."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "event": "log",
            "level": record.levelname.lower(),
            "program": "actors",
            "at_ms": int(record.created * 1000),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)[-4000:]
        return msgspec.json.encode(line).decode()


def main() -> int:
    """Run until SIGTERM; 0 after a clean hand-over, 1 when it could not start or gave up."""
    try:
        config = Config.from_env()
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonLines())
        logging.basicConfig(level=config.log_level.upper(), handlers=[handler])
        sys.excepthook = logs.uncaught
        # Few long-lived objects per execution and many short ones: rare collections pay.
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 100)
        run = asyncio.run
        with contextlib.suppress(ImportError):
            from uvloop import run
        return run(_serve(config))
    except PenstockError as error:
        log("failed", message=error.message, remedy=error.remedy)
        return 1


def log(event: str, **fields: object) -> None:
    """One line of JSON on stderr."""
    line = {"event": event, "program": "actors", "at_ms": time.time_ns() // 1_000_000}
    sys.stderr.write(msgspec.json.encode({**line, **fields}).decode() + "\n")
    sys.stderr.flush()


async def _serve(config: Config) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    owner = secrets.token_hex(6)
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
        on_event=_tell_part,
    )
    ending = asyncio.ensure_future(tree.ended())
    stopping = asyncio.ensure_future(stop.wait())
    becoming_ready = asyncio.ensure_future(_tell_ready(host, owner))
    await asyncio.wait((ending, stopping), return_when=asyncio.FIRST_COMPLETED)
    becoming_ready.cancel()
    log("draining", id=owner)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(host.drain(), DRAIN_S)
    has_failed = ending.done()
    tree.stop()
    await ending
    host.close()
    shared.close()
    await bus.close()
    log("stopped", id=owner)
    return 1 if has_failed else 0


def _tell_part(event: SupervisorEvent) -> None:
    if event.event not in ("started", "ready"):
        log("part", what=event.event, path=event.path, why=event.detail)


async def _tell_ready(host: Host, owner: str) -> None:
    await host.ready.wait()
    log("ready", id=owner, owns=sorted(host.partitions))
    number = os.environ.get("PENSTOCK_READY_FD", "")
    if number.isdigit():
        with contextlib.suppress(OSError):
            os.write(int(number), b"ready\n")
            os.close(int(number))
