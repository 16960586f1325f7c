"""A worker: one process that runs the steps of one workflow version, and then no other.

`run` is called right after the fork. It closes everything but its channel, puts the layers on
from the outside in (those that need privileges first, seccomp last), says that it is ready and
with which layers, then runs steps one after the other until the channel closes.
"""

import contextlib
import os
import random
import resource
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import msgspec

from penstock.nodes.registry import REGISTRY
from penstock.sandbox_host import expression_engine, kernel
from penstock.sandbox_host.engines import Engines
from penstock.sandbox_host.frames import (
    RESULT_BYTES_MAX,
    Done,
    FrameBuffer,
    Lost,
    Ready,
    Setup,
    ToWorker,
    pack,
)
from penstock.sandbox_host.scopes import scope_of
from penstock.sandbox_host.settings import SCRATCH, ZygoteSettings
from penstock.sdk import user_code
from penstock.sdk.runner import run_node
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Outcome, Step
from penstock.workflow.compile import compile_document
from penstock.workflow.expressions import engine
from penstock.workflow.plan import Plan

_CHANNEL = 3
_REQUEST_BYTES_MAX = 256 << 20
_RECEIVE_BYTES = 1 << 18
_HOLD_S = 0.005

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ToWorker).decode
# Made now: when memory is used up, nothing can be made any more.
_OUT_OF_MEMORY = pack(_encode(Lost("memory")))


class Isolation:
    """The layers of a worker. Whatever can be prepared before the fork is prepared here."""

    def __init__(self, config: ZygoteSettings, *, has_namespaces: bool) -> None:
        self._config = config
        self._has_namespaces = has_namespaces
        self._null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        self._capabilities = kernel.Capabilities()
        filters = config.filters
        self._filter = None
        if filters is not None:
            program = filters.own if has_namespaces else filters.shared
            self._filter = kernel.SeccompFilter(program)
        limits = config.limits
        self._limits = [
            (which, _within(which, value))
            for which, value in (
                (resource.RLIMIT_DATA, limits.data_bytes),
                (resource.RLIMIT_AS, limits.address_bytes),
                (resource.RLIMIT_NOFILE, limits.open_files),
                (resource.RLIMIT_FSIZE, limits.file_bytes),
                (resource.RLIMIT_CPU, limits.cpu_s),
            )
        ]

    def enter(self, channel: int) -> list[str]:
        """Put on every layer that can be had; their names. Seccomp comes last, it ends setup."""
        os.setsid()
        for fd in (0, 1, 2):
            os.dup2(self._null, fd)
        os.dup2(channel, _CHANNEL)
        kernel.close_from(_CHANNEL + 1)
        layers = []
        for name, apply in (
            ("scratch", self._mount_scratch),
            ("landlock", self._landlock),
            ("rlimits", self._limit),
            ("no-capabilities", self._drop),
            ("seccomp", self._seccomp),
        ):
            with contextlib.suppress(OSError):
                if apply():
                    layers.append(name)
        return layers

    def _mount_scratch(self) -> bool:
        if not self._has_namespaces:
            return False
        kernel.unshare(kernel.NEWNS)
        inert = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC | kernel.MS_NOSYMFOLLOW
        size = self._config.limits.scratch_bytes
        kernel.mount(
            "scratch", SCRATCH, kind="tmpfs", flags=inert, data=f"size={size},nr_inodes=1k,mode=700"
        )
        os.chdir(SCRATCH)
        return True

    def _landlock(self) -> bool:
        read = kernel.LANDLOCK_READ
        if self._has_namespaces:
            rules = [("/", read), (SCRATCH, kernel.LANDLOCK_SCRATCH)]
        else:
            rules = [(path, read) for path in self._config.read_only]
        rules += [
            (path, read | kernel.LANDLOCK_WRITE_FILE)
            for path in self._config.devices
            if Path(path).exists()
        ]
        kernel.Landlock(rules).restrict()
        return True

    def _limit(self) -> bool:
        for which, pair in self._limits:
            resource.setrlimit(which, pair)
        if os.getuid() != 0 or self._has_namespaces:
            threads = self._config.limits.threads
            resource.setrlimit(resource.RLIMIT_NPROC, _within(resource.RLIMIT_NPROC, threads))
        return True

    def _drop(self) -> bool:
        self._capabilities.drop()
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
        return True

    def _seccomp(self) -> bool:
        if self._filter is None:
            return False
        self._filter.load()
        return True


def _within(which: int, value: int) -> tuple[int, int]:
    hard = resource.getrlimit(which)[1]
    limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
    return limit, limit


def run(channel: int, isolation: Isolation) -> NoReturn:
    """Be a worker on `channel` until it closes; never returns into the zygote's code."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        layers = isolation.enter(channel)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=_CHANNEL)
        random.seed()
        user_code.install(Engines())
        engine.install(expression_engine.evaluate)
        sock.sendall(pack(_encode(Ready(layers))))
        _Session(sock).serve()
    except MemoryError:
        with contextlib.suppress(BaseException):
            os.write(_CHANNEL, _OUT_OF_MEMORY)
    except BaseException as error:
        with contextlib.suppress(BaseException):
            os.write(_CHANNEL, pack(_encode(Lost(f"{type(error).__name__}: {error}"[:500]))))
    os._exit(0)


class _Session:
    """Steps in, outcomes out. Outcomes leave together: when no more work is at hand, and before
    the first of them has waited for long."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._plan: Plan | None = None
        self._out = bytearray()
        self._held_since_s = 0.0

    def serve(self) -> None:
        """Until the host closes the channel."""
        incoming = FrameBuffer(_REQUEST_BYTES_MAX)
        while True:
            piece = self._sock.recv(_RECEIVE_BYTES)
            if not piece:
                return
            for body in incoming.feed(piece):
                self._handle(_decode(body))
            self._flush()

    def _flush(self) -> None:
        if self._out:
            self._sock.sendall(self._out)
            self._out.clear()

    def _handle(self, message: ToWorker) -> None:
        if isinstance(message, Setup):
            self._plan = _compiled(message)
            return
        assert self._plan is not None, "work before setup"
        plan = self._plan
        started_s = time.perf_counter()
        if not self._out:
            self._held_since_s = started_s
        outcome = _guarded(lambda: _run_step(plan, message.step))
        ended_s = time.perf_counter()
        self._out += _packed(Done(message.ticket, outcome, int((ended_s - started_s) * 1e6)))
        if ended_s - self._held_since_s > _HOLD_S:
            self._flush()


def _compiled(setup: Setup) -> Plan:
    document = msgspec.json.decode(setup.document)
    return compile_document(document, REGISTRY, key=setup.plan, timezone=setup.timezone)


def _run_step(plan: Plan, step: Step) -> Outcome:
    return run_node(scope_of(plan, step))


def _guarded(run_step: Callable[[], Outcome]) -> Outcome:
    """The outcome; whatever user code raises, exits included, is an outcome with an error."""
    try:
        return run_step()
    except MemoryError:
        raise
    except BaseException as error:
        message = f"{type(error).__name__}: {error}"[:2_000]
        return Outcome(outputs=None, error=ErrorInfo(message=message, name="NodeOperationError"))


def _packed(done: Done) -> bytes:
    try:
        body = _encode(done)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        body = _refused(done, f"The code's result cannot be stored: {error}")
    if len(body) > RESULT_BYTES_MAX:
        body = _refused(
            done, f"The result of {len(body)} bytes is over the limit of {RESULT_BYTES_MAX} bytes"
        )
    return pack(body)


def _refused(done: Done, message: str) -> bytes:
    error = ErrorInfo(message=message, name="NodeOperationError")
    return _encode(Done(done.ticket, Outcome(outputs=None, error=error), done.took_us))
