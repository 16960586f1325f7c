"""An operating-system process as a child.

The child's output (stdout and stderr alike) comes through a pipe line by line to a sink, so that
our own stdout stays clean and every program's log is kept. A program of ours is ready when it
logs a JSON line with `"event": "ready"`; a foreign one when its probe answers.

A child leads its own process group: Ctrl-C reaches the supervisor alone, which then stops its
children in order, and killing a child takes along what it forked. On Linux it dies with its
supervisor; its pid file (`leftovers`) covers the other systems.
"""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.supervisor.child import Child, Exit, StartFailedError
from penstock.supervisor.leftovers import PidFile
from penstock.supervisor.linux import die_with_parent
from penstock.supervisor.spec import ChildSpec, Restart

OnLine = Callable[[str], None]
_READ_BYTES = 65536


@dataclass(frozen=True, kw_only=True)
class Program:
    """How to run one program.

    `before` is awaited ahead of every start (it may prepare files), `after` called at every end.
    `probe` returns when the program with the given pid serves; without one its log must say
    `ready`. `prepare` runs in the child between fork and exec. `death_signal` is what Linux
    sends when the supervisor is gone.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    before: Callable[[], Awaitable[None]] | None = None
    after: Callable[[], None] = lambda: None
    probe: Callable[[int], Awaitable[None]] | None = None
    prepare: Callable[[], None] | None = None
    pass_fds: Sequence[int] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    pid_file: Path | None = None
    on_line: OnLine = lambda line: None


class ProcessChild:
    """One run of a program, from its preparation to its end."""

    def __init__(self, program: Program) -> None:
        self._program = program
        loop = asyncio.get_running_loop()
        self._process: asyncio.subprocess.Process | None = None
        self._ready: asyncio.Future[None] = loop.create_future()
        self._exit: asyncio.Future[Exit] = loop.create_future()
        self._last_line = ""
        self._said: dict[str, object] = {}
        self._life = loop.create_task(self._live(), name=program.name)
        self._life.add_done_callback(self._end)

    async def ready(self) -> None:
        either: list[asyncio.Future[Any]] = [self._ready, self._exit]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not self._ready.done():
            raise StartFailedError(f"{self._program.name}: {self._exit.result().reason}")

    async def ended(self) -> Exit:
        return await asyncio.shield(self._exit)

    def stop(self) -> None:
        if self._process is None:
            self._life.cancel()
        elif self._process.returncode is None:
            self._process.send_signal(self._program.stop_signal)

    def kill(self) -> None:
        if self._process is None:
            self._life.cancel()
            return
        # The group too when the leader is gone: what it forked may live on.
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return

    def describe(self) -> dict[str, object]:
        return {"pid": self._process.pid if self._process else None, **self._said}

    async def _live(self) -> Exit:
        if self._program.before is not None:
            await self._program.before()
        ours, theirs = os.pipe()
        try:
            # Cancelled in here, asyncio kills what it had started.
            process = await _exec(self._program, theirs)
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._process = process
        reading = asyncio.ensure_future(self._read(ours))
        probing = asyncio.ensure_future(self._probe(process.pid))
        code = await process.wait()
        probing.cancel()
        # A grandchild may hold the pipe open: what is in it now is all that matters.
        await asyncio.wait({reading}, timeout=0.2)
        reading.cancel()
        return Exit(is_normal=code == 0, reason=self._reason(code))

    def _end(self, life: asyncio.Task[Exit]) -> None:
        if self._program.pid_file is not None:
            self._program.pid_file.unlink(missing_ok=True)
        self._program.after()
        if life.cancelled():
            self._exit.set_result(Exit(is_normal=True, reason="stopped before it ran"))
        elif (error := life.exception()) is not None:
            self._exit.set_result(Exit(is_normal=False, reason=f"cannot start: {error}"))
        else:
            self._exit.set_result(life.result())

    def _reason(self, code: int) -> str:
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        last = f": {self._last_line[:300]}" if code and self._last_line else ""
        return f"exit status {code}{last}"

    async def _probe(self, pid: int) -> None:
        if self._program.probe is not None:
            await self._program.probe(pid)
            self._say_ready({})

    async def _read(self, output: int) -> None:
        reader = asyncio.StreamReader()
        pipe = os.fdopen(output, "rb", buffering=0)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        rest = b""
        try:
            while data := await reader.read(_READ_BYTES):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._take(line.decode("utf-8", "replace"))
            if rest:
                self._take(rest.decode("utf-8", "replace"))
        finally:
            transport.close()

    def _take(self, line: str) -> None:
        if line.strip():
            self._last_line = line.strip()
        self._program.on_line(line)
        if self._program.probe is None and not self._ready.done() and '"ready"' in line:
            about = _ready_event(line)
            if about is not None:
                self._say_ready(about)

    def _say_ready(self, about: dict[str, object]) -> None:
        if not self._ready.done():
            self._said = about
            self._ready.set_result(None)


def _ready_event(line: str) -> dict[str, object] | None:
    """The fields of a log line that says ready, without those that every line has."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    if not isinstance(event, dict) or event.get("event") != "ready":
        return None
    return {key: event[key] for key in ("address", "url", "listen", "id") if key in event}


async def _exec(program: Program, output: int) -> asyncio.subprocess.Process:
    launch = PidFile.new_launch()
    dies_with_us = die_with_parent(program.death_signal)

    def in_child() -> None:
        os.setpgid(0, 0)
        if program.prepare is not None:
            program.prepare()
        # Last, since changing credentials clears it.
        dies_with_us()

    process = await asyncio.create_subprocess_exec(
        *program.argv,
        env={**program.env, PidFile.VARIABLE: launch},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=tuple(program.pass_fds),
        preexec_fn=in_child,
    )
    if program.pid_file is not None:
        PidFile(program.pid_file).write(process.pid, launch)
    return process


def process_child(
    program: Program,
    *,
    restart: Restart = Restart.PERMANENT,
    shutdown_s: float = 5.0,
    is_awaited: bool = True,
) -> ChildSpec:
    """A child that runs `program` as a process of its own."""

    async def start() -> Child:
        return ProcessChild(program)

    return ChildSpec(
        name=program.name,
        start=start,
        restart=restart,
        shutdown_s=shutdown_s,
        is_awaited=is_awaited,
    )
