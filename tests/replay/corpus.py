"""Journals of released versions, kept for ever: they must stay readable and mean the same.

    python -m tests.replay.corpus 0.2.0     # add the journals that this version writes

One file per version: the messages of both partitions of a simulated installation with everything
that can be in a journal (ended and open executions, held ones, schedules, limits, takeovers), the
documents, and what replaying them came to.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

from penstock.actors.execution.events import Event, Started
from penstock.actors.execution.history import History
from penstock.actors.execution.state import State
from penstock.actors.journal import Happened, JournalReader
from penstock.actors.takeover import Replayed, build
from penstock.nodes.registry import REGISTRY
from penstock.subjects.bus import Message
from penstock.subjects.messages import TenantLimits
from penstock.workflow.compile import compile_document
from penstock.workflow.plan import Plan
from penstock.workflow.scope import unsigned
from tests.simulation import virtual
from tests.simulation.workflows import ALL, SCHEDULED
from tests.simulation.world import PARTITIONS, World

FOLDER = Path(__file__).parent / "journals"


class Corpus(msgspec.Struct):
    """One version's journals. `meaning` is what `replay` gave when they were written."""

    version: str
    documents: list[dict[str, Any]]
    partitions: list[list[tuple[str, bytes, int]]]
    meaning: Any


def files() -> list[Path]:
    """All corpora."""
    return sorted(FOLDER.glob("*.msgpack"))


def read(path: Path) -> Corpus:
    """A corpus."""
    return msgspec.msgpack.decode(path.read_bytes(), type=Corpus)


def replay(corpus: Corpus) -> Any:
    """What the journals say, as plain data: of each execution, and of each partition."""
    plans = {
        (plan := compile_document(document, REGISTRY)).hash: plan for document in corpus.documents
    }
    told = [_replay_partition(messages, plans) for messages in corpus.partitions]
    return msgspec.to_builtins(told, str_keys=True)


def as_known_then(meaning: Any, then: Any) -> Any:
    """Only what `then` knew of: later versions append fields to entries, which are arrays."""
    for partition, before in zip(meaning, then, strict=True):
        others = zip(partition["others"], before["others"], strict=True)
        partition["others"] = [_cut(entry, known) for entry, known in others]
    return meaning


def _cut(value: Any, known: Any) -> Any:
    if isinstance(value, list) and isinstance(known, list):
        return [_cut(*pair) for pair in zip(value, known, strict=False)]
    return value


def _replay_partition(messages: list[tuple[str, bytes, int]], plans: dict[str, Plan]) -> Any:
    replayed = Replayed(None, [])
    reader = JournalReader()
    histories: dict[str, History] = {}
    for subject, payload, sequence in messages:
        message = Message(subject, payload, sequence)
        replayed.feed(message)
        record = reader.feed(message)
        for entry in record.entries if record is not None else ():
            if isinstance(entry, Happened):
                for event in entry.events:
                    _tell(histories, entry.execution, event, plans)
    open_states = {
        execution: _state(build(plans[grown.base.plan], grown, unsigned))
        for execution, grown in replayed.grown.items()
    }
    return {
        "executions": {key: history.as_json() for key, history in sorted(histories.items())},
        "open": dict(sorted(open_states.items())),
        "held": sorted(replayed.held),
        "ended": replayed.ended,
        "others": replayed.others,
        "replies": replayed.replies,
        "input_seq": reader.input_seq,
    }


def _tell(
    histories: dict[str, History], execution: str, event: Event, plans: dict[str, Plan]
) -> None:
    if isinstance(event, Started):
        assert event.request is not None
        histories[execution] = History(State(plans[event.request.plan], event.request))
    histories[execution].add(event)


def _state(state: State) -> Any:
    return {
        "status": state.status,
        "waiting": state.waiting,
        "seq": state.seq,
        "attempt": state.attempt,
        "stack": [entry.node for entry in state.stack],
        "inputs": [entry.inputs for entry in state.stack],
        "last": state.last,
        "retry_ms": state.retry_ms,
        "until_ms": state.sleep.until_ms if state.sleep else 0,
        "children": state.calls.children if state.calls else [],
    }


async def _play() -> World:
    world = World(1)
    await world.start()
    await asyncio.sleep(1.0)
    for name in ALL:
        world.gateway.run(name, world.hashes)
        world.gateway.run(name, world.hashes)
    await asyncio.sleep(4.0)
    world.hosts[0].kill()
    world.gateway.send_signal(0, TenantLimits("main", concurrency=5))
    world.gateway.send_signal(1, TenantLimits("main", concurrency=5))
    await asyncio.sleep(8.0)
    for name in ALL:
        world.gateway.run(name, world.hashes)
    await asyncio.sleep(0.02)
    world.close()
    return world


def write(version: str) -> Path:
    """Write the journals of this version."""
    world = virtual.run(_play())
    stream = world.broker.stream("EXEC")
    partitions = [
        [
            (each.message.subject, each.message.payload, each.message.sequence)
            for each in stream.since(1, f"exec.local.{number}.>")
        ]
        for number in range(PARTITIONS)
    ]
    corpus = Corpus(version, [*ALL.values(), SCHEDULED], partitions, None)
    corpus.meaning = replay(corpus)
    path = FOLDER / f"{version}.msgpack"
    FOLDER.mkdir(exist_ok=True)
    path.write_bytes(msgspec.msgpack.encode(corpus))
    return path


if __name__ == "__main__":
    print(write(sys.argv[1]))
