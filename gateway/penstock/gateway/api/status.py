"""Endpoints about the installation itself: status, limits, live events."""

import asyncio
from collections.abc import AsyncGenerator

from penstock.gateway.api.endpoint import ApiCall
from penstock.gateway.api.shapes import (
    Limits,
    PartitionView,
    ProgramView,
    StatusView,
    StreamView,
)
from penstock.gateway.parts import Parts
from penstock.gateway.watchers import Filter
from penstock.subjects.bus import Bus
from penstock.subjects.errors import PenstockError
from penstock.subjects.ids import partition_of
from penstock.subjects.messages import TenantLimits

STREAMS = ("EXEC", "SNAP", "STEPS", "DONE", "DEAD", "AUDIT")


async def status(call: ApiCall) -> StatusView:
    parts, around = call.parts, call.parts.around
    programs = [
        ProgramView(
            kind=beat.kind,
            id=beat.id,
            pid=beat.pid,
            started_ms=beat.started_ms,
            heard_ms_ago=ago_ms,
            free=beat.free,
            owns=beat.owns,
            draining=beat.draining,
            problems=beat.problems,
            isolation=beat.isolation,
        )
        for beat, ago_ms in parts.programs.alive()
    ]
    programs.sort(key=lambda program: (program.kind, program.id))
    owners = {number: program.id for program in programs for number in program.owns}
    streams = await asyncio.gather(*(_stream(parts.bus, name) for name in STREAMS))
    known = list(parts.catalog.of(call.tenant))
    return StatusView(
        region=around.region,
        gateway=around.gateway,
        broker_connected=parts.bus.is_connected,
        partitions=[
            PartitionView(partition=number, owner=owners.get(number, ""))
            for number in range(around.partitions)
        ],
        programs=programs,
        streams=list(streams),
        workflows=len(known),
        active_workflows=sum(bool(entry.record.active_hash) for entry in known),
        history_lag=await _history_lag(parts),
    )


async def set_limits(call: ApiCall) -> Limits:
    body: Limits = call.body
    signal = TenantLimits(
        call.tenant, **{name: getattr(body, name) for name in Limits.__struct_fields__}
    )
    partition = partition_of(f"tenant/{call.tenant}", call.parts.around.partitions)
    await call.parts.signals.send(partition, signal)
    return body


async def events(call: ApiCall) -> AsyncGenerator[bytes, None]:
    wanted = Filter(call.query.workflow, call.query.execution)
    return call.parts.taps.watch(wanted, call.headers.get("last-event-id", ""))


async def _stream(bus: Bus, name: str) -> StreamView:
    try:
        info = await bus.info(name)
    except PenstockError as error:
        return StreamView(name=name, problem=error.message)
    return StreamView(
        name=name,
        messages=info["messages"],
        bytes=info["bytes"],
        first=info["first"],
        last=info["last"],
        consumers=info["consumers"],
    )


async def _history_lag(parts: Parts) -> int:
    try:
        return await parts.history.lag()
    except PenstockError:
        return -1
