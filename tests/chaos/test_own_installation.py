"""`penstock chaos`: an operator's own drills, and only when they mean it."""

import subprocess
import sys
from pathlib import Path

from tests.chaos.kills import installation


def chaos(data: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "penstock.cli", "chaos", "--data", str(data), *options)
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_it_kills_and_freezes_programs_and_finds_nothing_lost() -> None:
    with installation() as up:
        before = {name: child["pid"] for name, child in up.tree().items()}

        refused = chaos(up.data)
        assert (refused.returncode, "--i-know" in refused.stderr) == (1, True)
        assert {name: child["pid"] for name, child in up.tree().items()} == before

        done = chaos(up.data, "--i-know")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "BROKEN" not in done.stdout
        after = {name: child["pid"] for name, child in up.tree().items()}
        assert [name for name in before if before[name] == after[name]] == []

        for row, n in ((5, 1), (7, 1), (8, 3)):
            again = chaos(up.data, "--i-know", "--row", str(row), "--n", str(n), "--seed", "7")
            assert again.returncode == 0, again.stdout + again.stderr
            lines = [line for line in again.stdout.splitlines() if line.startswith(f"{row} ")]
            assert lines
            assert all(line.split()[-3:] == [str(n), "7", "kept"] for line in lines)


def test_it_says_when_nothing_runs_there(tmp_path: Path) -> None:
    refused = chaos(tmp_path, "--i-know")

    assert (refused.returncode, "no `penstock up` runs" in refused.stderr) == (1, True)
