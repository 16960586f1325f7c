"""The simulator itself: a seed is a seed wherever it is played, and a failure is seen again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation import __main__ as program
from tests.simulation.bugs import BUGS
from tests.simulation.scenario import play
from tests.simulation.seeds import play_all, play_one

ROOT = Path(__file__).parents[2]
TELL = "from tests.simulation.scenario import play; print(play(7).digest)"


def run(code: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *code],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_seed_plays_the_same_twice() -> None:
    play(8)  # what was played before must not matter

    assert play(7) == play(7)


def test_a_seed_plays_the_same_in_any_process() -> None:
    elsewhere = run(["-c", TELL], PYTHONHASHSEED="4321", PYTHONPATH=str(ROOT))

    assert elsewhere.stdout.strip() == str(play(7).digest), elsewhere.stderr


def test_some_seeds_write_snapshots_while_things_go_wrong() -> None:
    assert play(2).counts["snapshots"] > 20


def test_a_broken_promise_names_its_seed_and_the_command_that_replays_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bug = next(bug for bug in BUGS if str(bug) == "effects_come_before_the_append")
    monkeypatch.setattr(bug.owner, bug.name, bug.function)

    broken = play_one(3).broken

    assert "seed 3 broke" in broken
    assert broken.endswith("replay: just sim --seed 3")


def test_several_processes_play_the_seeds_in_order() -> None:
    assert [played.seed for played in play_all(range(15), jobs=2)] == list(range(15))


def test_words_as_those_of_the_drills_are_taken() -> None:
    assert program.options(["SEEDS=7", "FIRST=3"]) == program.options(["--seeds=7", "--first=3"])


def test_a_run_without_broken_promises_ends_well_and_says_what_happened(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["sim", "SEED=7"])

    assert program.main() == 0
    told = capsys.readouterr()
    assert "1 kept all promises, 0 did not" in told.out and "records" in told.out
    assert "1 of 1 seeds, 0 broken" in told.err
