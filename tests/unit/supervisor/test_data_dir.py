"""The data directory: one holder, secrets for their owner, figures that stay."""

import asyncio
import stat
from pathlib import Path

import pytest

from penstock.subjects.errors import PenstockError
from penstock.supervisor.brokers import brokers_of
from penstock.supervisor.data_dir import DataDir, DataDirInUseError
from penstock.supervisor.postgres import binaries


@pytest.fixture
def data_dir(tmp_path: Path) -> DataDir:
    made = DataDir(tmp_path / "data")
    made.prepare()
    return made


def test_one_holder_at_a_time(data_dir: DataDir) -> None:
    data_dir.lock()

    with pytest.raises(DataDirInUseError, match="in use by another"):
        DataDir(data_dir.path).lock()
    assert DataDir(data_dir.path).is_locked


def test_a_directory_that_nobody_holds_is_not_locked(data_dir: DataDir) -> None:
    assert not data_dir.is_locked
    assert not DataDir(data_dir.path / "absent").is_locked


def test_secrets_are_made_once_and_differ(data_dir: DataDir) -> None:
    first, second = data_dir.secret("nats-gateway"), data_dir.secret("nats-actors")

    assert first != second
    assert min(len(first), len(second)) >= 32
    assert DataDir(data_dir.path).secret("nats-gateway") == first
    assert stat.S_IMODE((data_dir.path / "secrets.json").stat().st_mode) == 0o600


def test_the_owner_token_is_made_once(data_dir: DataDir) -> None:
    token = data_dir.owner_token()

    assert DataDir(data_dir.path).owner_token() == token
    assert stat.S_IMODE(data_dir.owner_token_file.stat().st_mode) == 0o600


def test_the_number_of_partitions_is_fixed_at_the_first_start(data_dir: DataDir) -> None:
    assert data_dir.partitions(4) == 4
    assert data_dir.partitions(0) == 4

    with pytest.raises(PenstockError, match="4 partitions"):
        data_dir.partitions(8)


def test_somebody_elses_directory_is_refused_and_ours_is_not(data_dir: DataDir) -> None:
    data_dir.lock()
    DataDir(data_dir.path).prepare()
    foreign = data_dir.path.parent / "foreign"
    foreign.mkdir()
    (foreign / "file").touch()

    with pytest.raises(PenstockError, match="not a Penstock data directory"):
        DataDir(foreign).prepare()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"postgres": 1}', "\0\0\0"])
def test_damaged_secrets_are_told_and_never_made_anew(data_dir: DataDir, text: str) -> None:
    file = data_dir.path / "secrets.json"
    file.write_text(text)

    with pytest.raises(PenstockError, match=str(file)) as refused:
        data_dir.secret("postgres")

    assert "restore it" in refused.value.remedy
    assert file.read_text() == text


def test_lost_secrets_are_told_when_a_database_knows_them(data_dir: DataDir) -> None:
    data_dir.postgres.mkdir()
    (data_dir.postgres / "PG_VERSION").write_text("18")

    with pytest.raises(PenstockError, match=r"secrets\.json is missing") as refused:
        data_dir.secret("postgres")

    assert "restore it" in refused.value.remedy


@pytest.mark.parametrize(("text", "what"), [("", "is empty"), ("four", "is damaged")])
def test_a_damaged_number_of_partitions_is_told(data_dir: DataDir, text: str, what: str) -> None:
    file = data_dir.path / "partitions"
    file.write_text(text)

    with pytest.raises(PenstockError, match=f"{file} {what}") as refused:
        data_dir.partitions(0)

    assert "the number with which the directory was made" in refused.value.remedy


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"file_bytes": null}', '{"file_bytes": -5}'])
def test_a_damaged_budget_of_the_streams_is_told(data_dir: DataDir, text: str) -> None:
    file = data_dir.nats / "budget.json"
    file.write_text(text)

    with pytest.raises(PenstockError, match=f"{file} is (damaged|empty)") as refused:
        data_dir.file_budget_bytes()

    assert '{"file_bytes": N}' in refused.value.remedy
    assert file.read_text() == text


@pytest.mark.parametrize("text", ["", "three", "0", "-1", "13", "4"])
def test_a_damaged_number_of_brokers_is_told(data_dir: DataDir, text: str) -> None:
    file = data_dir.nats / "nodes"
    file.write_text(text)

    with pytest.raises(PenstockError, match=f"{file} is (damaged|empty)") as refused:
        asyncio.run(brokers_of(data_dir, 0, "local", lambda _: None))

    assert "how many brokers there are" in refused.value.remedy


def test_an_empty_owner_token_is_told(data_dir: DataDir) -> None:
    data_dir.owner_token_file.touch()

    with pytest.raises(PenstockError, match="owner-token is empty"):
        data_dir.owner_token()


@pytest.mark.parametrize("text", ["", "x"])
def test_a_damaged_version_of_the_database_is_told(data_dir: DataDir, text: str) -> None:
    data_dir.postgres.mkdir()
    (data_dir.postgres / "PG_VERSION").write_text(text)

    with pytest.raises(PenstockError, match="PG_VERSION is") as refused:
        binaries(data_dir.postgres)

    assert "such as 18" in refused.value.remedy
