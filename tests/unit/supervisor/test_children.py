"""Tasks and processes as children, and the waiting for dependencies."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.subjects.errors import BusError
from penstock.supervisor.child import Exit, StartFailedError
from penstock.supervisor.leftovers import PidFile
from penstock.supervisor.process import ProcessChild, Program
from penstock.supervisor.readiness import pauses_s, wait_for
from penstock.supervisor.task import TaskChild


def run(play: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(play, 20))


def python(code: str, **options: Any) -> Program:
    return Program(name="child", argv=(sys.executable, "-c", code), **options)


READY_THEN_WAIT = """
import json, sys, signal
print(json.dumps({"event": "ready", "address": "here"}), file=sys.stderr, flush=True)
signal.pause()
"""


def test_a_task_that_returns_ended_normally_and_one_that_raises_did_not() -> None:
    async def play() -> None:
        async def finish() -> None:
            pass

        async def fail() -> None:
            raise ValueError("no")

        assert await TaskChild("a", finish).ended() == Exit(True, "finished")
        assert await TaskChild("b", fail).ended() == Exit(False, "ValueError: no")

    run(play())


def test_a_task_stopped_before_its_first_step_ends_normally() -> None:
    async def play() -> None:
        child = TaskChild("a", asyncio.Event().wait)  # type: ignore[arg-type]

        child.stop()

        assert (await child.ended()).is_normal

    run(play())


def test_a_task_that_does_not_heed_its_cancellation_is_abandoned() -> None:
    async def play() -> None:
        released = asyncio.Event()

        async def stubborn() -> None:
            while not released.is_set():
                try:
                    await released.wait()
                except asyncio.CancelledError:
                    continue

        child = TaskChild("a", stubborn)
        await asyncio.sleep(0)

        child.stop()
        child.kill()

        assert "abandoned" in (await child.ended()).reason
        released.set()

    run(play())


def test_a_process_is_ready_when_its_log_says_so_and_tells_what_it_said() -> None:
    async def play() -> None:
        lines: list[str] = []
        child = ProcessChild(python(READY_THEN_WAIT, on_line=lines.append))

        await child.ready()

        assert child.describe()["address"] == "here"
        assert lines == ['{"event": "ready", "address": "here"}']
        child.stop()
        assert await child.ended() == Exit(False, "killed by SIGTERM")

    run(play())


def test_a_process_that_ends_before_it_is_ready_failed_and_its_last_words_are_kept() -> None:
    async def play() -> None:
        child = ProcessChild(python("import sys; sys.exit('no such port')"))

        with pytest.raises(StartFailedError, match="exit status 1: no such port"):
            await child.ready()

    run(play())


def test_a_program_that_does_not_exist_failed_to_start() -> None:
    async def play() -> None:
        child = ProcessChild(Program(name="x", argv=("/nonexistent/program",)))

        with pytest.raises(StartFailedError, match="No such file"):
            await child.ready()

    run(play())


def test_a_process_stopped_while_it_is_being_prepared_never_runs() -> None:
    async def play() -> None:
        async def forever() -> None:
            await asyncio.Event().wait()

        child = ProcessChild(python("raise SystemExit", before=forever))
        await asyncio.sleep(0)

        child.stop()

        assert await child.ended() == Exit(True, "stopped before it ran")

    run(play())


def test_killing_a_process_takes_along_what_it_forked() -> None:
    forks = """
import os, json, sys, signal
child = os.fork()
if child: print(json.dumps({"event": "ready", "id": child}), file=sys.stderr, flush=True)
signal.pause()
"""

    async def play() -> None:
        child = ProcessChild(python(forks))
        await child.ready()
        grandchild = int(str(child.describe()["id"]))

        child.kill()
        await child.ended()

        for _ in pauses_s(0.01, 0.05):
            if not _runs(grandchild):
                break
            await asyncio.sleep(0.01)

    run(play())


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_long_lines_and_bytes_that_are_no_text_do_not_stop_the_log() -> None:
    speaks = """
import sys, os
os.write(2, b"x" * 200000 + b"\\n" + b"\\xff\\xfe\\n" + b"unfinished")
"""

    async def play() -> None:
        lines: list[str] = []
        child = ProcessChild(python(speaks, on_line=lines.append))

        await child.ended()

        assert [len(line) for line in lines] == [200000, 2, 10]

    run(play())


def test_a_pid_file_names_a_process_only_while_it_is_the_one_launched(tmp_path: Path) -> None:
    async def play() -> None:
        file = tmp_path / "child.pid"
        child = ProcessChild(python(READY_THEN_WAIT, pid_file=file))
        await child.ready()
        living = PidFile(file).living()
        assert living is not None
        assert living.pid == child.describe()["pid"]

        PidFile(file).write(living.pid, "another launch")

        assert PidFile(file).living() is None
        os.kill(living.pid, signal.SIGKILL)
        await child.ended()
        assert not file.exists()

    run(play())


def test_an_outage_is_waited_out_and_told_once_per_reason() -> None:
    async def play() -> None:
        faults: Iterator[Exception | bool] = iter(
            [BusError("away"), BusError("away"), ConnectionRefusedError("closed"), False, True]
        )
        told: list[str] = []

        async def answers() -> bool:
            fault = next(faults)
            if isinstance(fault, Exception):
                raise fault
            return fault

        await wait_for(answers, pauses=pauses_s(0, 0), on_outage=told.append)

        assert told == [
            "BusError: away",
            "ConnectionRefusedError: closed",
            "it does not answer yet",
        ]

    run(play())


def test_a_fault_of_ours_is_not_an_outage() -> None:
    async def play() -> None:
        async def wrong() -> bool:
            raise KeyError("ours")

        with pytest.raises(KeyError):
            await wait_for(wrong)

    run(play())


def test_pauses_grow_to_their_limit_and_stay_there() -> None:
    pauses = pauses_s(0.1, 0.5)

    assert [next(pauses) for _ in range(5)] == [0.1, 0.2, 0.4, 0.5, 0.5]
