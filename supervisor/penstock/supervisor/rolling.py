"""A rolling restart: asked for by `penstock roll`, done by the `penstock up` that runs there.

The two talk through files in DIR/run and one signal: the command writes what it wants to
`roll.json` and sends SIGHUP; `up` restarts the programs one at a time, each only after the one
before is ready again, and writes how far it is to `rolled-ID.json`, one file for each request. A
file outlives a terminal, and needs no port and no password.

One rolling restart at a time: who asks during another one is told so. Commands ask one after
another, since a SIGHUP without a request means that the terminal is gone, and stops everything.
"""

import asyncio
import fcntl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from penstock.subjects.errors import PenstockError
from penstock.supervisor import randomness

READY_S = 120.0

T = TypeVar("T")


class Wanted(msgspec.Struct, frozen=True):
    """Restart these programs in this order. `id` tells one request from another."""

    id: str
    programs: list[str]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a request is. `problem` is why it ended early, `remedy` what to know about that."""

    id: str
    done: list[str] = []
    is_over: bool = False
    problem: str = ""
    remedy: str = ""


class RollFiles:
    """The files of one data directory, for either side."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._wanted = run / "roll.json"

    @contextmanager
    def asking(self) -> Iterator[None]:
        """For the command, from its request until that is taken: others wait for it."""
        with (self._run / "roll.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def ask(self, programs: Sequence[str]) -> Wanted:
        """Write a request; the signal is the caller's to send."""
        wanted = Wanted(randomness.name(6), list(programs))
        _write(self._wanted, wanted)
        return wanted

    @property
    def is_taken(self) -> bool:
        """Whether no request waits any more."""
        return not self._wanted.exists()

    def take(self) -> Wanted | None:
        """The request, once."""
        wanted = _read(self._wanted, Wanted)
        self._wanted.unlink(missing_ok=True)
        return wanted

    def tell(self, progress: Progress) -> None:
        """Write how far it is; a full disk must not end the restart."""
        with suppress(OSError):
            _write(self._progress(progress.id), progress)

    def refuse(self, wanted: Wanted) -> None:
        """Tell who asked that another one is under way."""
        problem, remedy = "a rolling restart is under way", "try again when it has ended"
        self.tell(Progress(id=wanted.id, is_over=True, problem=problem, remedy=remedy))

    def progress(self, wanted: Wanted) -> Progress:
        """How far that request is; nothing done when it has not begun."""
        return _read(self._progress(wanted.id), Progress) or Progress(id=wanted.id)

    def forget(self, wanted: Wanted | None = None) -> None:
        """Remove what was told of a request, or of all that nobody waited for to the end."""
        for file in self._run.glob(
            "rolled-*.json" if wanted is None else f"rolled-{wanted.id}.json"
        ):
            file.unlink(missing_ok=True)

    def _progress(self, request: str) -> Path:
        return self._run / f"rolled-{request}.json"


async def roll(
    wanted: Wanted, restart: Callable[[str], Awaitable[None]], tell: Callable[[Progress], None]
) -> None:
    """Restart one program after another; the first that fails, or that is not ready in
    `READY_S`, ends it."""
    done: list[str] = []
    tell(Progress(id=wanted.id))
    for program in wanted.programs:
        try:
            async with asyncio.timeout(READY_S):
                await restart(program)
        except (PenstockError, TimeoutError) as error:
            problem = f"{program}: {error or 'not ready in time'}"
            remedy = "the programs after it were left alone"
            tell(Progress(id=wanted.id, done=done, is_over=True, problem=problem, remedy=remedy))
            return
        done = [*done, program]
        tell(Progress(id=wanted.id, done=done, is_over=len(done) == len(wanted.programs)))


def _write(file: Path, value: msgspec.Struct) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(value))
    fresh.replace(file)


def _read(file: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError):
        return None
