"""Many seeds, on as many processes as wanted."""

import multiprocessing
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from tests.simulation.scenario import ViolationError, play

PER_TASK = 10


class Played(NamedTuple):
    """What a seed came to. `broken`: what it broke and how to see it again; empty when nothing."""

    seed: int
    counts: Counter[str]
    broken: str = ""


def play_one(seed: int) -> Played:
    """Play one; whatever ends it is what it broke."""
    try:
        return Played(seed, play(seed).counts)
    except ViolationError as violation:
        return Played(seed, Counter(), str(violation))


def play_some(seeds: Sequence[int]) -> list[Played]:
    """One after another."""
    return [play_one(seed) for seed in seeds]


def play_all(seeds: Sequence[int], jobs: int) -> Iterator[Played]:
    """In the order of the seeds, on `jobs` processes."""
    if jobs == 1 or len(seeds) == 1:
        yield from map(play_one, seeds)
        return
    tasks = [seeds[first : first + PER_TASK] for first in range(0, len(seeds), PER_TASK)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context) as pool:
        for played in pool.map(play_some, tasks):
            yield from played


def first_broken(seeds: Sequence[int]) -> tuple[int, str]:
    """After how many seeds the first promise was broken, and how; 0 when all were kept."""
    for number, seed in enumerate(seeds, 1):
        played = play_one(seed)
        if played.broken:
            return number, played.broken
    return 0, ""
