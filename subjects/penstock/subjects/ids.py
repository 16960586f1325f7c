"""Identifiers: short, sortable by time, valid as one subject token.

An execution id is 20 characters of lower-case base 32 (time in milliseconds, then randomness).
A child's id is its root's id, a hyphen and a number, so a whole family of executions lives in one
partition and calls between them cross no network. The execution of an error workflow is named
after the one that failed: its id, a hyphen and `error`.
"""

import os
import re
import zlib
from collections.abc import Iterator

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LETTERS = [letter.encode() for letter in _ALPHABET]
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_RANDOM_BITS = 55
_RANDOM_BYTES = 7
_DRAWN_AT_ONCE = 256
_LENGTH = 20
_PAIR_SHIFTS = tuple(range(5 * (_LENGTH - 2), -1, -10))
_ID_LENGTH_MAX = 63
_EXECUTION = re.compile(rf"[{_ALPHABET}]{{{_LENGTH}}}(-([0-9]{{1,9}}|error))*", re.ASCII)
_TIME_LENGTH = 9
_TO_DIGITS = str.maketrans(_ALPHABET + "ilou", "0123456789abcdefghijklmnopqrstuv" + "!!!!")
"""Python reads base 32 in digits of its own; letters that are none of ours must not pass."""


def _random_numbers() -> Iterator[int]:
    """The system's randomness, 56 bits at a time: ids are hard to guess. Drawn in
    blocks, a system call costs 1 µs."""
    while True:
        block = os.urandom(_RANDOM_BYTES * _DRAWN_AT_ONCE)
        for at in range(0, len(block), _RANDOM_BYTES):
            yield int.from_bytes(block[at : at + _RANDOM_BYTES], "little")


class _Randomness:
    """The numbers that this process draws; a fork must not draw its parent's again."""

    def __init__(self) -> None:
        self.numbers = _random_numbers()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self.numbers = _random_numbers()


_randomness = _Randomness()


def new_id(now_ms: int, randomness: int | None = None) -> str:
    """A new id: 45 bits of time, then 55 bits of randomness (given by a seeded caller)."""
    bits = next(_randomness.numbers) if randomness is None else randomness
    value = (now_ms & ((1 << 45) - 1)) << _RANDOM_BITS | bits & ((1 << _RANDOM_BITS) - 1)
    pairs = _PAIRS
    return "".join([pairs[(value >> shift) & 1023] for shift in _PAIR_SHIFTS])


def new_id_in(partition: int, partitions: int, now_ms: int) -> str:
    """A new id that `partition` owns: a gateway's batch, for instance, belongs to one partition.

    The checksum goes on from that of everything but the last character, so looking for a last
    character that fits costs about as much as making the id.
    """
    while True:
        stem = new_id(now_ms)[:-1]
        checksum = zlib.crc32(stem.encode())
        for letter in _LETTERS:
            if zlib.crc32(letter, checksum) % partitions == partition:
                return stem + letter.decode()


def created_ms(key: str) -> int:
    """When an id, or the root of a child's id, was made; 0 for what is no id of ours."""
    head = key[:_TIME_LENGTH]
    if len(head) < _TIME_LENGTH or not (head.isascii() and head.isalnum()):
        return 0
    try:
        return int(head.translate(_TO_DIGITS), 32)
    except ValueError:
        return 0


def is_execution_id(text: str) -> bool:
    """Whether `text`, from anybody, looks like the id of an execution."""
    return len(text) <= _ID_LENGTH_MAX and _EXECUTION.fullmatch(text) is not None


def root_of(execution: str) -> str:
    """The id of the execution at the top of `execution`'s family."""
    return execution.partition("-")[0]


def partition_of(key: str, partitions: int) -> int:
    """The partition that owns `key` (`root_of` an execution, or `<tenant>/<id>` of an actor)."""
    return zlib.crc32(key.encode()) % partitions
