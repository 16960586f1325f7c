"""What commands have in common: characters, interruptions, paths that are none, hints."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.cli import doctor, main
from penstock.cli.demo import hints


def ascii_output(code: str) -> str:
    """What this prints where the terminal knows ASCII only."""
    env = {**os.environ, "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    return ended.stdout


def test_characters_that_a_terminal_has_not_are_degraded() -> None:
    tree = {"pid": 1, "children": [{"name": "g", "children": [CHILD]}]}
    told = ascii_output(
        "from penstock.cli import main, status\n"
        "main.main(['--help'])\n"
        f"status._print_tree({tree!r})"
    )

    assert "? gateway-1 ready, pid 2" in told


CHILD = {"name": "gateway-1", "state": "ready", "pid": 2, "restarts": 0, "last_exit": ""}


def test_json_loses_nothing_on_a_terminal_that_knows_ascii_only() -> None:
    told = ascii_output(
        "from penstock.cli.tables import print_json; print_json(['\u00fc\U0001f600'])"
    )

    assert json.loads(told) == ["\u00fc\U0001f600"]


def test_an_interruption_while_modules_are_loaded_ends_in_silence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "import_module", interrupted)

    assert main.main(["status"]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_is_no_data_directory(
    tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()

    bad = [one.what for one in doctor.examine(tmp_path / place) if one.level == "bad"]
    statuses = [main.main([name, "--data", str(tmp_path / place)]) for name in ("status", "dead")]

    assert bad == [f"{tmp_path / 'file'} is not a directory"]
    assert statuses == [1, 1]
    assert "there is no running Penstock" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "user"),
    [
        ("gateway", "gateway"),
        ("actors", "actors"),
        ("sandbox-host", "sandbox"),
        ("projector", "projector"),
    ],
)
def test_a_program_alone_is_started_as_the_user_that_it_is(
    command: str, user: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main.main([command, "--help"])

    assert f"PENSTOCK_NATS_USER={user} " in capsys.readouterr().out


def test_the_demo_s_hints_find_the_installation_that_it_ran_on() -> None:
    assert "penstock executions e1 --data '/my data'\n" in hints("http://h", "e1", Path("/my data"))
    assert "penstock executions e1\n" in hints("http://h", "e1", Path("penstock-data"))
