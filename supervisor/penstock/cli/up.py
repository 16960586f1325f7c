"""`penstock up`: everything on one machine, from one command, under one supervisor.

Prints one line, `ready http://HOST:PORT`, on stdout when all programs are healthy; everything
else goes to stderr and to DIR/logs. SIGTERM and SIGINT stop all children in the reverse order of
their start, and kill whatever is left soon enough to be done within ten seconds; a second signal
kills at once. SIGHUP does the rolling restart that `penstock roll` asked for, and stops like the
others when there is none. When the tree escalates, `up` ends with status 1 and says why.
"""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from penstock.cli.arguments import add_data, parser, whole
from penstock.subjects import logs
from penstock.subjects.config import CHECKS, Check, check_postgres_url, refuse_bad
from penstock.subjects.errors import PenstockError
from penstock.supervisor.broker import Broker
from penstock.supervisor.brokers import NODES, brokers_of
from penstock.supervisor.child import Exit
from penstock.supervisor.data_dir import DataDir
from penstock.supervisor.disk_watch import watch_disk
from penstock.supervisor.leftovers import end_leftovers
from penstock.supervisor.listening import kept_port, listeners, listeners_as_before
from penstock.supervisor.log_file import ErrorOutput, LogFile
from penstock.supervisor.orphans import Orphans
from penstock.supervisor.rolling import RollFiles, roll
from penstock.supervisor.spec import check
from penstock.supervisor.stack import StackSettings, stack
from penstock.supervisor.supervisor import Supervisor, SupervisorEvent
from penstock.supervisor.task import task_child

if TYPE_CHECKING:
    from penstock.supervisor.healer import Healer

_STOP_S = 8.5
_FILES = 65536
_COUNT_MAX = 256
REGION = "local"

_EXAMPLES = """\
  penstock up --demo
  penstock up --data ./data --listen 127.0.0.1:8080
  penstock up --gateways 2 --actors 2         more processes on a larger machine
  penstock up --nodes 3                       a cluster of three brokers, to drill with
  PENSTOCK_POSTGRES_URL=postgresql://… penstock up   with a Postgres of your own"""


def main(argv: list[str]) -> int:
    """Run until a signal or an escalation ends it."""
    options = _options(argv)
    _check_environment()
    data_dir = DataDir(options.data)
    with ExitStack() as open_sockets:
        made = (
            listeners(options.listen, options.gateways)
            if options.listen is not None
            else listeners_as_before(data_dir.port_file, options.gateways)
        )
        sockets = [open_sockets.enter_context(one) for one in made]
        data_dir.prepare()
        data_dir.lock()
        end_leftovers(data_dir.run, lambda line: print(line, file=sys.stderr))
        keep_port(data_dir, sockets[0], is_chosen=options.listen is not None)
        data_dir.owner_token()
        RollFiles(data_dir.run).forget()
        _raise_file_limit()
        return asyncio.run(_Up(options, data_dir, sockets).run())


def _check_environment() -> None:
    """Refuse what a program would refuse, before any is started and restarted."""
    from penstock.sandbox_host import environment

    postgres: dict[str, Check] = {"PENSTOCK_POSTGRES_URL": check_postgres_url}
    refuse_bad({**CHECKS, **postgres, **environment.CHECKS}, os.environ)


def _options(argv: list[str]) -> argparse.Namespace:
    it = parser("up", "Start everything on this machine.", examples=_EXAMPLES)
    add_data(it)
    it.add_argument(
        "--listen",
        metavar="HOST:PORT",
        help="where the gateway listens (default: loopback, the port of the last start or a free"
        " one)",
    )
    it.add_argument("--demo", action="store_true", help="import a sample workflow and call it")
    it.add_argument(
        "--gateways", type=whole(most=_COUNT_MAX), default=1, metavar="N", help="gateway processes"
    )
    it.add_argument(
        "--actors", type=whole(most=_COUNT_MAX), default=1, metavar="N", help="actor processes"
    )
    it.add_argument(
        "--nodes",
        type=int,
        choices=NODES,
        default=0,
        metavar="N",
        help="brokers: 1, 3 or 5 (default: as the data directory was made, else 1)",
    )
    it.add_argument(
        "--partitions",
        type=whole(most=_COUNT_MAX),
        default=0,
        metavar="N",
        help="partitions (default: two a core, at least 4; fixed when the data directory is made)",
    )
    return it.parse_args(argv)


def keep_port(data_dir: DataDir, own: socket.socket, *, is_chosen: bool) -> None:
    """Keep our port for the next start; or warn, and keep the one that we could not have."""
    kept, port = kept_port(data_dir.port_file), own.getsockname()[1]
    if is_chosen or not kept:
        data_dir.port_file.write_text(f"{port}\n")
    elif port != kept:
        print(
            f"penstock up: warning: port {kept} is taken, listening on {port}: addresses given away"
            f" before are dead until a start gets port {kept} again",
            file=sys.stderr,
        )


def _raise_file_limit() -> None:
    """As many open files as we may have: each connection is one, in us and in our children."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    with contextlib.suppress(OSError, ValueError):  # macOS has a second, lower limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Up:
    """One run of the stack."""

    def __init__(
        self, options: argparse.Namespace, data_dir: DataDir, sockets: Sequence[socket.socket]
    ) -> None:
        self._options = options
        self._data = data_dir
        self._sockets = sockets
        self._shown_on = ErrorOutput()
        self._log = LogFile(data_dir.logs / "up.log", self._shown_on)
        self._tree: Supervisor | None = None
        self._healer: Healer | None = None
        self._rolling: asyncio.Task[None] | None = None
        self._orphans = Orphans()
        self._signals = 0
        self._asked = asyncio.Event()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        logs.configure(program="up", take=self._log)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        servers = await self._brokers()
        if servers is None:
            return 0
        settings = StackSettings(
            data_dir=self._data,
            listeners=self._sockets,
            broker=servers,
            gateways=self._options.gateways,
            actors=self._options.actors,
            partitions=self._data.partitions(self._options.partitions),
            region=REGION,
            postgres_url=os.environ.get("PENSTOCK_POSTGRES_URL", ""),
            on_event=self._on_event,
            shown_on=self._shown_on,
        )
        spec = stack(settings)
        check(spec)
        tree = self._tree = Supervisor(spec, on_event=self._on_event)
        living = loop.create_task(self._live(tree, servers, settings.url))
        collecting = loop.create_task(self._orphans.collect_on())
        asked = loop.create_task(self._asked.wait())
        ending = loop.create_task(tree.ended())
        await asyncio.wait({living, asked, ending}, return_when=asyncio.FIRST_COMPLETED)
        failure = living.exception() if living.done() else None
        exit_ = await self._stop(tree, living)
        collecting.cancel()
        if self._rolling is not None:
            self._rolling.cancel()
        self._orphans.end()
        if failure is not None:
            raise failure
        if not exit_.is_normal and not self._asked.is_set():
            raise PenstockError(exit_.reason, remedy=f"see the logs in {self._data.logs}")
        return 0

    async def _brokers(self) -> Broker | None:
        """The brokers to run with; None when a signal came while streams were being moved."""
        loop = asyncio.get_running_loop()
        moving = loop.create_task(
            brokers_of(self._data, self._options.nodes, REGION, self._log), name="moving"
        )
        asked = loop.create_task(self._asked.wait())
        await asyncio.wait({moving, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if moving.done():
            return moving.result()
        moving.cancel()
        await asyncio.wait({moving})
        return None

    async def _live(self, tree: Supervisor, servers: Broker, url: str) -> None:
        await tree.begin()
        await tree.ready()
        if servers.is_cluster:
            from penstock.supervisor.healer import Healer

            self._healer = Healer(
                servers, restart=self._restart, is_ready=self._is_ready, told=self._log
            )
            await tree.start_child(task_child("healer", self._healer.run))
        await self._watch_disks(tree, servers)
        self._data.address_file.write_text(url + "\n")
        print(f"ready {url}", flush=True)
        if self._options.demo:
            from penstock.cli.demo import show

            await asyncio.to_thread(show, url, self._data.owner_token(), self._options.data)
        await asyncio.Event().wait()

    async def _stop(self, tree: Supervisor, living: asyncio.Task[None]) -> Exit:
        kill_at = asyncio.get_running_loop().call_later(_STOP_S, tree.kill)
        try:
            living.cancel()
            await asyncio.wait({living})
            tree.stop()
            return await tree.ended()
        finally:
            kill_at.cancel()
            # Who still waits to be accepted, our own demo for one, learns now that nobody will.
            for listener in self._sockets:
                listener.close()
            self._data.address_file.unlink(missing_ok=True)
            self._write_tree()
            self._shown_on.close()

    def _on_signal(self) -> None:
        self._signals += 1
        self._asked.set()
        if self._signals > 1 and self._tree is not None:
            self._tree.kill()

    def _on_hangup(self) -> None:
        files = RollFiles(self._data.run)
        wanted = files.take()
        if wanted is None:
            self._on_signal()
        elif self._rolling is None or self._rolling.done():
            rolling = roll(wanted, self._restart_on_request, files.tell)
            self._rolling = asyncio.get_running_loop().create_task(rolling)
        else:
            files.refuse(wanted)

    async def _restart_on_request(self, name: str) -> None:
        async with self._healer.alone() if self._healer is not None else contextlib.nullcontext():
            await self._restart(name)

    async def _watch_disks(self, tree: Supervisor, servers: Broker) -> None:
        watched = {"broker-disk": (self._data.nats, partial(self._restart_brokers, servers))}
        if "postgres" in self._programs():
            watched["database-disk"] = (self._data.postgres, partial(self._restart, "postgres"))
        for name, (store, restart) in watched.items():
            watch = partial(watch_disk, store, restart, self._log)
            await tree.start_child(task_child(name, watch))

    async def _restart_brokers(self, brokers: Broker) -> None:
        """All at once: each of a cluster gets ready only with the others. Whoever restarts one of
        them just now is not waited for, since without this it would not get ready."""
        names = map(brokers.program_of, brokers.servers)
        with self._healer.paused() if self._healer is not None else contextlib.nullcontext():
            await asyncio.gather(*map(self._restart, names))

    async def _restart(self, name: str) -> None:
        """Restart a program of the tree, and return when it is ready."""
        assert self._tree is not None
        path = self._programs().get(name)
        if path is None:
            raise PenstockError(f"there is no program {name!r}", remedy="see `penstock status`")
        await self._tree.restart_child(path[0])

    def _is_ready(self, name: str) -> bool:
        return self._programs().get(name, ("", ""))[1] == "ready"

    def _programs(self) -> dict[str, tuple[str, str]]:
        """Every program by its name: its path in the tree, and its state."""
        if self._tree is None:
            return {}
        about: dict[str, Any] = self._tree.describe()
        return {
            child["name"]: (f"{group['name']}/{child['name']}", child["state"])
            for group in about["children"]
            for child in group.get("children", [])
        }

    def _on_event(self, event: SupervisorEvent) -> None:
        self._write_tree()
        if self._asked.is_set() and event.detail in ("stopped", "cancelled"):
            return  # groups and parts that end with us; that each program ends is told
        detail = {"detail": event.detail} if event.detail else {}
        self._log(logs.line("up", event.event, path=event.path, **detail))

    def _write_tree(self) -> None:
        if self._tree is None:
            return
        about = {"pid": os.getpid(), "name": "penstock", **self._tree.describe()}
        fresh = self._data.tree_file.with_suffix(".new")
        with contextlib.suppress(OSError):  # a full disk must not end the stack
            fresh.write_text(json.dumps(about))
            fresh.replace(self._data.tree_file)
