"""Settings that cannot be are told before anything is started."""

from pathlib import Path

import pytest

from penstock.cli import main
from penstock.sandbox_host import environment
from penstock.subjects.config import CHECKS, Config, refuse_bad
from penstock.subjects.errors import PenstockError

BAD = {
    "PENSTOCK_TIMEZONE": "Mars/Base",
    "PENSTOCK_EGRESS_ALLOW": "foo",
    "PENSTOCK_TIERS": "magic",
    "PENSTOCK_HISTORY_DAYS": "abc",
    "PENSTOCK_LOG_LEVEL": "loud",
    "PENSTOCK_ACCEPTS_JOURNAL_GAP": "maybe",
    "PENSTOCK_ACCEPTS_HISTORY_GAP": "maybe",
    "PENSTOCK_PUBLIC_URL": "notaurl",
    "PENSTOCK_SANDBOX": "yes",
    "PENSTOCK_POSTGRES_URL": "secret",
}
ALL = {**CHECKS, **environment.CHECKS}


def test_up_refuses_every_bad_setting_at_once_and_makes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, text in BAD.items():
        monkeypatch.setenv(variable, text)

    status = main.main(["up", "--data", str(tmp_path / "data")])

    told = capsys.readouterr().err.splitlines()
    assert (status, (tmp_path / "data").exists()) == (1, False)
    assert told[0] == f"penstock up: {len(BAD)} settings of the environment are wrong"
    assert {line.split()[0].rstrip(":") for line in told[1:]} == set(BAD)
    assert all(": give " in line or ": use " in line for line in told[1:])


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("PENSTOCK_HISTORY_DAYS", "-3"),
        ("PENSTOCK_HISTORY_DAYS", "1.5"),
        ("PENSTOCK_HISTORY_DAYS", "9" * 30),
        ("PENSTOCK_PUBLIC_URL", "http://"),
        ("PENSTOCK_PUBLIC_URL", "http://host:port"),
        ("PENSTOCK_PUBLIC_URL", "ftp://host"),
        ("PENSTOCK_TIERS", "process,magic"),
        ("PENSTOCK_EGRESS_ALLOW", "10.0.0.0/8,10.0.0.0/99"),
        *((name, text) for name, text in BAD.items() if name in ALL),
    ],
)
def test_a_bad_setting_is_named_with_what_is_allowed(variable: str, text: str) -> None:
    with pytest.raises(PenstockError, match=variable) as refused:
        refuse_bad(ALL, {variable: text})

    assert refused.value.remedy.startswith(("give ", "use "))


def test_what_may_be_set_is_taken() -> None:
    env = {
        "PENSTOCK_NATS_URL": "nats://localhost:4222",
        "PENSTOCK_TIMEZONE": "Europe/Berlin",
        "PENSTOCK_EGRESS_ALLOW": "10.1.0.0/16, 127.0.0.1",
        "PENSTOCK_TIERS": "trusted",
        "PENSTOCK_HISTORY_DAYS": "0",
        "PENSTOCK_LOG_LEVEL": "Warning",
        "PENSTOCK_ACCEPTS_JOURNAL_GAP": "True",
        "PENSTOCK_ACCEPTS_HISTORY_GAP": "0",
        "PENSTOCK_PUBLIC_URL": "https://flows.example.org/penstock",
        "PENSTOCK_SANDBOX": "weak",
    }

    refuse_bad(ALL, env)

    read = Config.from_env(env)
    assert (read.history_days, read.accepts_journal_gap, read.accepts_history_gap) == (
        0,
        True,
        False,
    )


def test_a_program_alone_refuses_what_up_refuses() -> None:
    with pytest.raises(PenstockError, match="PENSTOCK_HISTORY_DAYS"):
        Config.from_env({"PENSTOCK_NATS_URL": "nats://x", "PENSTOCK_HISTORY_DAYS": "-3"})
