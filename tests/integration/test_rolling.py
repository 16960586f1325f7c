"""`penstock roll` against a real `penstock up`, by more than one at a time."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.up import ALL_STAND_INS, Up, running_up, wait_until

DEADLINE_S = 30.0


@pytest.fixture
def up() -> Iterator[Up]:
    # Not pytest's directory: a unix socket's path must be short.
    with (
        tempfile.TemporaryDirectory(prefix="penstock-", ignore_cleanup_errors=True) as directory,
        running_up(Path(directory) / "data", stand_ins=ALL_STAND_INS) as started,
    ):
        yield started


def rolling(up: Up, *programs: str) -> "subprocess.Popen[str]":
    command = (sys.executable, "-m", "penstock.cli", "roll", "--data", str(up.data), *programs)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def told(up: Up) -> list[Path]:
    return list((up.data / "run").glob("rolled-*.json"))


def test_who_asks_during_a_rolling_restart_is_told_so_at_once(up: Up) -> None:
    for name in ("gateway-1", "actors-1"):  # which then do not end before their time is over
        os.kill(up.pid_of(name), signal.SIGSTOP)
    first = rolling(up, "gateway-1", "actors-1", "projector")
    wait_until(lambda: bool(told(up)), DEADLINE_S, lambda: up.errors)

    second = rolling(up, "projector")

    _, refusal = second.communicate(timeout=DEADLINE_S)
    assert first.poll() is None
    assert second.returncode == 1
    assert "a rolling restart is under way" in refusal
    done, _ = first.communicate(timeout=DEADLINE_S)
    assert first.returncode == 0
    assert done.split("\n")[:-1] == [
        f"{name} restarted" for name in ("gateway-1", "actors-1", "projector")
    ]
    assert told(up) == []


def test_of_many_who_ask_at_once_each_is_answered_and_nothing_stops(up: Up) -> None:
    asking = [rolling(up, "gateway-1") for _ in range(4)]

    answers = [each.communicate(timeout=DEADLINE_S) for each in asking]

    assert {each.returncode for each in asking} <= {0, 1}
    assert all(done or "under way" in refusal for done, refusal in answers)
    assert any(done for done, _ in answers)
    assert up.process.poll() is None
    assert int(up.get()) == up.pid_of("gateway-1")
