"""Moving an installation from one number of brokers to another.

A server alone and a cluster keep their stores differently, and servers that are started on the
other's store drop what they find there. So old and new servers run side by side for once, on
stores of their own, and every file stream is handed over as a snapshot, chunk by chunk, with its
sequences: journals, snapshots and the history's position stay valid. What counts is `nats/nodes`,
which `brokers` writes when all has been moved; before that the old stores are the installation, and
a move that was interrupted begins anew. Streams in memory begin empty, as after any restart.

It takes as long as copying takes, and the disk must hold both for that time.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec

from penstock.subjects.bus_nats import NatsBus, stream_config
from penstock.subjects.errors import BusError, PenstockError
from penstock.subjects.streams import StreamSpec
from penstock.supervisor import broker, nats
from penstock.supervisor.broker import Broker
from penstock.supervisor.data_dir import DataDir
from penstock.supervisor.log_file import LogFile
from penstock.supervisor.nats import NatsServer
from penstock.supervisor.process import Program, process_child
from penstock.supervisor.readiness import pauses_s, wait_for
from penstock.supervisor.spec import ChildSpec, SupervisorSpec
from penstock.supervisor.supervisor import start_supervisor

_CHUNK_BYTES = 512 * 1024
_CHUNK_S = 30.0
_ELECTED_S = 60.0
_NOBODY = b"NATS/1.0 503"
_COMPARED = ("messages", "last")

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


async def move(data_dir: DataDir, before: int, after: int, region: str) -> None:
    """Bring every stream from `before` brokers to `after`; the old stores stay."""
    nats.remove(nats.stores(data_dir, after))
    old = broker.configure(data_dir, before, region)
    new = broker.configure(data_dir, after, region)
    async with (
        running(data_dir, old, "old"),
        running(data_dir, new, "new"),
        old.as_admin() as source,
        new.as_admin() as target,
    ):
        await _until(lambda: _is_led(source))
        await _until(lambda: _is_led(target))
        present = set((await source.api("STREAM.NAMES")).get("streams") or [])
        for name in present:
            await _until(partial(_answers, source, name))
        specs = [(spec, size) for spec, size in new.declarations() if spec.name in present]
        for spec, size in specs:
            await _check_room(source, spec, size)
        for spec, size in specs:
            if spec.storage == "file":
                await _hand_over(source, target, spec, size)


async def _send(target: NatsBus, to: str, chunk: bytes) -> bytes:
    """Give one chunk to the server that restores, whose subscription may not be known everywhere
    yet. That nobody was there means that nobody got it, so it is safe to try again."""
    for pause_s in itertools.islice(pauses_s(0.02, 0.5), 20):
        header, answer = await target.connection.request(to, chunk, _CHUNK_S)
        if not header.startswith(_NOBODY):
            return answer
        await asyncio.sleep(pause_s)
    raise BusError("no broker takes the snapshot")


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Return when it holds: a cluster that has just started elects its leaders first."""
    try:
        async with asyncio.timeout(_ELECTED_S):
            await wait_for(holds, pauses=pauses_s(0.1, 0.5))
    except TimeoutError:
        raise BusError("the brokers do not get on; see nats-*.log in the logs") from None


async def _is_led(bus: NatsBus) -> bool:
    await bus.api("INFO")
    return True


async def _answers(bus: NatsBus, stream: str) -> bool:
    return "last" in await bus.info(stream)


async def _check_room(source: NatsBus, spec: StreamSpec, size: int) -> None:
    held = (await source.info(spec.name))["bytes"]
    if held > size:
        raise PenstockError(
            f"{spec.name} holds {held} bytes, and so many brokers on one disk may hold {size}",
            remedy="stay with the present number of brokers, or shorten the history first",
        )


async def _hand_over(source: NatsBus, target: NatsBus, spec: StreamSpec, size: int) -> None:
    """Copy one stream with its sequences."""
    held = await source.info(spec.name)
    chunks: asyncio.Queue[tuple[bytes, bytes]] = asyncio.Queue()
    inbox = source.connection.inbox + b".snapshot"
    sid = source.connection.subscribe(
        inbox, lambda _, reply, header, payload: chunks.put_nowait((reply, payload))
    )
    asked = {"deliver_subject": inbox.decode(), "no_consumers": True, "chunk_size": _CHUNK_BYTES}
    began: dict[str, Any] = await source.api(f"STREAM.SNAPSHOT.{spec.name}", asked)
    wanted = {"config": stream_config(spec, size), "state": began["state"]}
    to = (await target.api(f"STREAM.RESTORE.{spec.name}", wanted))["deliver_subject"]
    while True:
        try:
            async with asyncio.timeout(_CHUNK_S):
                reply, chunk = await chunks.get()
        except TimeoutError:
            raise BusError(f"{spec.name} cannot be moved: its snapshot broke off") from None
        answer = await _send(target, to, chunk)
        if not chunk:
            break
        if reply:  # the last chunks want no word of theirs
            source.connection.publish(reply, b"")
    source.connection.unsubscribe(sid)
    problem = _decode(answer).get("error", {}).get("description", "")
    moved = await target.info(spec.name) if not problem else {}
    if any(moved.get(key) != value for key, value in held.items() if key in _COMPARED):
        raise PenstockError(f"{spec.name} cannot be moved: {problem or 'the copy differs'}")


@asynccontextmanager
async def running(data_dir: DataDir, servers: Broker, which: str) -> AsyncIterator[None]:
    """These servers under a supervisor of their own, until the block ends."""
    children = [_child(data_dir, server, f"{which}-{server.name}") for server in servers.servers]
    tree = await start_supervisor(SupervisorSpec(name=which, children=children))
    try:
        await tree.ready()
        yield
    finally:
        tree.stop()
        await tree.ended()


def _child(data_dir: DataDir, server: NatsServer, name: str) -> ChildSpec:
    program = Program(
        name=name,
        argv=server.argv,
        env={},
        probe=lambda pid: server.wait_until_serving(),
        pid_file=data_dir.run / f"{name}.pid",
        on_line=LogFile(data_dir.logs / f"{name}.log"),
    )
    return process_child(program, is_awaited=False)
