"""Which server a command speaks to, and which token that one gets to see."""

import argparse
from pathlib import Path

import pytest

from penstock.cli import main
from penstock.cli.api import Api
from penstock.cli.arguments import add_server, api_of
from penstock.subjects.errors import PenstockError

RUNNING = "http://127.0.0.1:4100"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory of an installation that runs at `RUNNING`."""
    for variable in ("PENSTOCK_URL", "PENSTOCK_TOKEN", "PENSTOCK_DATA"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "address").write_text(RUNNING + "\n")
    (tmp_path / "owner-token").write_text("secret\n")
    return tmp_path


def chosen(data: Path, *words: str) -> tuple[str, str]:
    """Address and token."""
    it = argparse.ArgumentParser()
    add_server(it)
    api = api_of(it.parse_args(["--data", str(data), *words]))
    assert isinstance(api, Api)
    return api.url, api._token


@pytest.mark.parametrize("url", ["", RUNNING, RUNNING + "/", "127.0.0.1:4100"])
def test_the_token_of_a_directory_goes_to_the_server_that_runs_on_it(data: Path, url: str) -> None:
    assert chosen(data, *(["--url", url] if url else [])) == (RUNNING, "secret")


@pytest.mark.parametrize(
    "url",
    [
        "http://elsewhere:4100",
        "http://127.0.0.1:4101",
        "https://127.0.0.1:4100",
        "http://127.0.0.1:4100@elsewhere",
        "http://elsewhere:4100/#http://127.0.0.1:4100",
    ],
)
@pytest.mark.parametrize("is_option", [True, False])
def test_the_token_of_a_directory_goes_to_no_other_server(
    data: Path, url: str, is_option: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_URL", "" if is_option else url)

    with pytest.raises(PenstockError, match="there is no token for") as refused:
        chosen(data, *(["--url", url] if is_option else []))

    assert f"the one in {data} is for {RUNNING} only" in refused.value.message
    assert "PENSTOCK_TOKEN" in refused.value.remedy


def test_a_server_elsewhere_gets_the_token_that_is_given_for_it(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chosen(data, "--url", "http://far:1", "--token", "other") == ("http://far:1", "other")
    monkeypatch.setenv("PENSTOCK_TOKEN", "from-env")
    assert chosen(data, "--url", "http://far:1") == ("http://far:1", "from-env")


def test_the_token_of_a_directory_on_which_nothing_runs_goes_nowhere(data: Path) -> None:
    (data / "address").unlink()

    with pytest.raises(PenstockError, match=f"there is no token for {RUNNING}$"):
        chosen(data, "--url", RUNNING)


@pytest.mark.parametrize("url", ["http://h:x", "http://h:99999", "http://[1", "http://h:0"])
def test_an_address_that_cannot_be_one_is_refused_in_words(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["workflows", "--url", url, "--token", "t"]) == 1

    assert f"{url!r} is not an address" in capsys.readouterr().err
