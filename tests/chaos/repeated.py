"""Rows 28 and 29: what other tests judge too, counted and shown as the drills' figures."""

import os

import msgspec

from tests.chaos.figures import Drawn, Figure
from tests.replay.corpus import as_known_then, files, read, replay
from tests.simulation.seeds import play_all


def journal_drill(n: int, seed: int) -> list[Figure]:
    """Every journal that was checked in, replayed `n` times."""
    drawn = Drawn(28, n, seed)
    other, records = [], 0
    for path in files():
        corpus = read(path)
        records += sum(len(messages) for messages in corpus.partitions)
        for _ in range(n):
            meaning = msgspec.msgpack.decode(msgspec.msgpack.encode(replay(corpus)))
            if as_known_then(meaning, corpus.meaning) != corpus.meaning:
                other.append(corpus.version)
    return [
        drawn.none_of("versions whose journals mean something else", sorted(set(other))),
        drawn.at_least("versions", len(files()), 1),
        drawn.told("messages in them", records),
    ]


def seed_drill(n: int, seed: int) -> list[Figure]:
    """`n` seeds of the simulator, from `seed` on."""
    drawn = Drawn(29, n, seed)
    broken, counts = [], 0
    for played in play_all(range(seed, seed + n), os.cpu_count() or 1):
        counts += sum(played.counts.values())
        if played.broken:
            broken.append(f"just sim --seed {played.seed}: {played.broken}")
    return [drawn.none_of("seeds that break a promise", broken), drawn.told("events", counts)]
