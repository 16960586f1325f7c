"""Messages that nobody should ever send, drawn from a seed, for every subject of the engine.

Four kinds: bytes; frames of the right version around any msgpack; good messages with bytes
changed or cut off; and messages of the right type whose values make no sense. The last kind
decodes, so it gets as far as the actors.
"""

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import msgspec

from penstock.actors.direct import DIRECT_RUNS
from penstock.actors.inbox import RESULTS, SIGNALS
from penstock.actors.journal import RUNS
from penstock.actors.placement import HEARTBEATS
from penstock.sandbox_host.host import STEPS
from penstock.subjects.asks import ask_lease, ask_reply, ask_state
from penstock.subjects.codec import Codec, CodecError
from penstock.subjects.messages import (
    Cancel,
    DirectRuns,
    Heartbeat,
    Outcome,
    Outputs,
    Reply,
    ReplyTo,
    Respond,
    Resume,
    RunRequest,
    Source,
    Step,
    StepResult,
    TenantLimits,
)

REPLIES: Codec[list[Reply]] = Codec(list[Reply])
ODD_TEXTS = ("", ".", "*", ">", "a.b", "ä" * 40, "x" * 3_000, "\x00", "../../etc/passwd", "main")
ODD_NUMBERS = (-(2**63), -1, 0, 1, 7, 10**9, 2**62)


class Lots(Random):
    """Lots that know `words`, ids of real plans for one: nonsense around them gets further."""

    def __init__(self, seed: int, words: tuple[str, ...]) -> None:
        super().__init__(seed)
        self.words = (*ODD_TEXTS, *words)


class Hostile(NamedTuple):
    """One message, and whose rights it takes to send it. `is_readable`: it decodes."""

    role: str
    subject: str
    payload: bytes
    is_readable: bool


class _Kind(NamedTuple):
    role: str
    subject: Callable[[Lots], str]
    codec: Codec[Any]
    sense: Callable[[Lots], Any]


def _text(lots: Lots) -> str:
    return lots.choice((*lots.words, f"{lots.getrandbits(60):x}"))


def _number(lots: Lots) -> int:
    return lots.choice((*ODD_NUMBERS, lots.randrange(1000)))


def _data(lots: Lots, depth: int = 3) -> Any:
    kind = lots.randrange(8 if depth else 5)
    if kind < 5:
        return lots.choice((None, True, _number(lots), lots.random(), _text(lots)))
    if kind < 7:
        return [_data(lots, depth - 1) for _ in range(lots.randrange(4))]
    return {_text(lots): _data(lots, depth - 1) for _ in range(lots.randrange(4))}


def _items(lots: Lots) -> list[dict[str, Any]]:
    return [
        lots.choice(({}, {"json": {}}, {"json": _data(lots)}, {_text(lots): _data(lots)}))
        for _ in range(lots.randrange(3))
    ]


def _reply(lots: Lots) -> ReplyTo | None:
    return lots.choice((None, ReplyTo(_text(lots), _number(lots))))


def _run(lots: Lots) -> RunRequest:
    return RunRequest(
        execution=_text(lots),
        tenant=_text(lots),
        workflow=_text(lots),
        plan=_text(lots),
        start=_text(lots),
        mode=_text(lots),
        items=_items(lots),
        received_ms=_number(lots),
        reply=_reply(lots),
        parent=_text(lots),
        retry_of=_text(lots),
        seed=lots.choice((None, [_data(lots)])),
        output=_number(lots),
    )


def _direct(lots: Lots) -> DirectRuns:
    runs = [_run(lots) for _ in range(lots.randrange(3))]
    return DirectRuns(_text(lots), lots.choice((1, 2, 1 << 40, *ODD_NUMBERS)), runs)


def _signal(lots: Lots) -> Any:
    kind = lots.randrange(3)
    if kind == 0:
        return Cancel(_text(lots), _text(lots))
    if kind == 1:
        return Resume(_text(lots), _items(lots), _text(lots), _text(lots), _reply(lots))
    # Not of the tenant "main": a limit is an order, and would rightly stop the load.
    return TenantLimits(f"t{_text(lots)}", float(_number(lots)), concurrency=_number(lots))


def _step(lots: Lots) -> Step:
    return Step(
        execution=_text(lots),
        tenant=_text(lots),
        workflow=_text(lots),
        plan=_text(lots),
        mode=_text(lots),
        node=_number(lots),
        run=_number(lots),
        seq=_number(lots),
        attempt=_number(lots),
        inputs=[_items(lots) if lots.randrange(2) else None for _ in range(lots.randrange(3))],
        sources=[Source(_number(lots), _number(lots)) for _ in range(lots.randrange(2))],
        runs={},
        contexts={},
        now_ms=_number(lots),
        timeout_ms=_number(lots),
        partition=lots.choice((0, 3, *ODD_NUMBERS)),
        custom=lots.choice((None, {_text(lots): _data(lots)})),
    )


def _result(lots: Lots) -> StepResult:
    outputs: Outputs = [
        _items(lots) if lots.randrange(2) else None for _ in range(lots.randrange(3))
    ]
    outcome = Outcome(outputs or None, effects=[Respond(_number(lots), {}, b"")])
    numbers = [_number(lots) for _ in range(4)]
    return StepResult(_text(lots), numbers[0], numbers[1], outcome, "h", numbers[2], numbers[3])


def _beat(lots: Lots) -> Heartbeat:
    # Not of an actor host: a host that claims partitions and does not exist is another drill.
    return Heartbeat(_text(lots), _text(lots), _number(lots), _number(lots), _number(lots))


def _answer(lots: Lots) -> Reply:
    return Reply(_number(lots), _text(lots), _number(lots), {_text(lots): ""}, b"x", _text(lots))


def _many(one: Callable[[Lots], Any]) -> Callable[[Lots], Any]:
    return lambda lots: [one(lots) for _ in range(lots.randrange(1, 3))]


def _ask(kind: str) -> Callable[[Lots], str]:
    return lambda lots: f"ask.local.{lots.randrange(16)}.{kind}"


KINDS = (
    _Kind("gateway", lambda lots: f"exec.local.{lots.randrange(16)}.in.run", RUNS, _many(_run)),
    _Kind("gateway", lambda lots: f"run.local.{lots.randrange(16)}", DIRECT_RUNS, _direct),
    _Kind(
        "gateway",
        lambda lots: f"exec.local.{lots.randrange(16)}.in.{lots.choice(('signal', 'other'))}",
        SIGNALS,
        _many(_signal),
    ),
    _Kind(
        "actors",
        lambda lots: f"step.local.{lots.choice(('trusted', 'process'))}",
        STEPS,
        _many(_step),
    ),
    _Kind("sandbox", lambda lots: f"done.local.{lots.randrange(16)}", RESULTS, _many(_result)),
    _Kind("actors", lambda lots: "reply.nobody", REPLIES, _many(_answer)),
    _Kind("gateway", _ask("state"), ask_state, lambda lots: [_text(lots)]),
    _Kind("gateway", _ask("reply"), ask_reply, lambda lots: [_text(lots)]),
    _Kind(
        "gateway",
        _ask("lease"),
        ask_lease,
        lambda lots: [f"t{_text(lots)}", _text(lots), _number(lots), _text(lots), _number(lots)],
    ),
    _Kind("gateway", _ask("nonsense"), ask_state, lambda lots: [_text(lots)]),
    _Kind("gateway", lambda lots: "ask.local.history.list", ask_state, _data),
    _Kind("gateway", lambda lots: "ask.local.history.get", ask_state, _data),
    _Kind("gateway", lambda lots: f"hb.{lots.choice('abc')}.x", HEARTBEATS, _beat),
    _Kind("sandbox", lambda lots: "hb.sandbox.x", HEARTBEATS, _beat),
)
"""Without the journal, snapshots and buckets: who may write those is trusted with the truth."""


def draw(lots: Lots) -> Hostile:
    """The next message."""
    kind = lots.choice(KINDS)
    payload = _payload(lots, kind)
    return Hostile(kind.role, kind.subject(lots), payload, _decodes(kind.codec, payload))


def _payload(lots: Lots, kind: _Kind) -> bytes:
    way = lots.randrange(4)
    if way == 0:
        return lots.randbytes(lots.choice((0, 1, 5, 60, 4_000)))
    if way == 1:
        return b"\x01" + msgspec.msgpack.encode(_data(lots))
    payload = bytearray(kind.codec.encode(kind.sense(lots)))
    if way == 2:
        for _ in range(lots.randrange(1, 4)):
            payload[lots.randrange(len(payload))] = lots.randrange(256)
        del payload[len(payload) - lots.choice((0, 0, 1, 5)) :]
    return bytes(payload)


def _decodes(codec: Codec[Any], payload: bytes) -> bool:
    try:
        codec.decode(payload)
    except CodecError:
        return False
    return True
