"""Programs that stand still: their ports take callers, and nobody ever answers."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from penstock.cli import arguments, doctor_running, main
from penstock.supervisor.data_dir import DataDir


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """HOST:PORT of a program that stands still."""
    for module in (arguments, doctor_running):
        monkeypatch.setattr(module, "ANSWER_S", 0.1)
    monkeypatch.setattr("penstock.cli.status.ANSWER_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield "127.0.0.1:{1}".format(*listener.getsockname())


@pytest.fixture
def data(tmp_path: Path, frozen: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataDir]:
    """An installation that runs, with a gateway and a broker that stand still."""
    for variable in ("PENSTOCK_URL", "PENSTOCK_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    made = DataDir(tmp_path / "data")
    made.prepare()
    made.lock()
    made.secret("postgres")
    made.owner_token()
    made.address_file.write_text(f"http://{frozen}\n")
    made.nats_url_file.write_text(f"nats://{frozen}\n")
    with ExitStack() as closing:
        assert made._lock is not None
        closing.enter_context(made._lock)
        yield made


def test_status_tells_soon_that_nobody_answers(
    data: DataDir, frozen: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["status", "--data", str(data.path)]) == 1

    first, second = capsys.readouterr().err.splitlines()
    assert first == f"penstock status: http://{frozen} does not answer: timed out"
    assert "penstock doctor" in second


def test_what_does_not_answer_of_a_running_installation_is_to_be_repaired(
    data: DataDir, frozen: str
) -> None:
    findings = doctor_running.look(data.path).findings

    assert [(one.level, one.what) for one in findings] == [
        ("good", "a `penstock up` runs on this data directory"),
        ("bad", f"broker: nats://{frozen} does not answer: timed out"),
        ("bad", f"gateway: http://{frozen} does not answer: timed out"),
    ]
    assert all(one.remedy for one in findings if one.level == "bad")


def test_an_installation_that_is_not_ready_yet_is_no_fault(data: DataDir) -> None:
    data.address_file.unlink()

    assert [one.level for one in doctor_running.look(data.path).findings] == ["weak"]


def test_a_directory_on_which_nothing_runs_is_asked_nothing(tmp_path: Path) -> None:
    assert doctor_running.look(tmp_path).findings == []


def test_what_programs_tell_of_themselves_is_to_be_repaired(
    data: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = [
        {"kind": "projector", "problems": ["the broker is another one"]},
        {"kind": "gateway", "problems": []},
    ]
    answers = SimpleNamespace(get=lambda path: {"programs": programs})
    monkeypatch.setattr(doctor_running, "api_of", lambda *_, **__: answers)

    bad = [one for one in doctor_running.look(data.path).findings if one.level == "bad"]

    assert bad[-1].what == "projector: the broker is another one"
    assert len([one for one in bad if one.what.startswith("projector")]) == 1
