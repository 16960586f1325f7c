"""The command line without a server: what it reads, refuses and prints."""

import errno
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from penstock.cli import doctor, main
from penstock.cli.api import Api, ApiError
from penstock.cli.arguments import parser, whole
from penstock.cli.document_files import Found, find
from penstock.cli.tables import table
from penstock.cli.tap import line_of
from penstock.subjects.config import check_postgres_url
from penstock.subjects.errors import PenstockError
from penstock.workflow.document import decode


def run(*words: str) -> int:
    return main.main(list(words))


def test_help_lists_every_command_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0

    out = capsys.readouterr().out
    assert all(f"  {name}" in out for name in main.COMMANDS)
    assert "examples:" in out


def test_help_imports_nothing_that_takes_time() -> None:
    code = (
        "import sys; from penstock.cli.main import main; main(['--help']);"
        "sys.exit(any(m in sys.modules for m in ('asyncio', 'msgspec', 'rich', 'nats')))"
    )

    ended = subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False)

    assert ended.returncode == 0


@pytest.mark.parametrize("command", [name for name in main.COMMANDS if name not in ("run", "test")])
def test_every_command_explains_itself_with_examples(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(command, "--help")

    assert ended.value.code == 0
    assert "examples:" in capsys.readouterr().out


def test_wrong_use_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("no-such-command") == 2
    assert run() == 2
    with pytest.raises(SystemExit) as ended:
        run("up", "--no-such-option")
    assert ended.value.code == 2


def test_a_failure_is_one_line_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PENSTOCK_URL", raising=False)

    assert run("status", "--data", str(tmp_path)) == 1

    first, second = capsys.readouterr().err.splitlines()
    assert first == f"penstock status: there is no running Penstock in {tmp_path}"
    assert "penstock up" in second


@pytest.mark.parametrize("address", ["8080", "host:port", "127.0.0.1:99999"])
def test_a_bad_address_to_listen_on_is_refused_before_anything_is_made(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"

    assert run("up", "--data", str(data), "--listen", address) == 1

    assert "is not HOST:PORT" in capsys.readouterr().err
    assert not data.exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://u:secret@db/penstock",
        "postgresql://u:secret@db:port/penstock",
        "postgresql://u:secret@db:99999/penstock",
        "postgresql://u:sec%ret@db/penstock",
        "secret",
        "hots=db password=secret",
    ],
)
def test_an_address_that_no_postgres_has_is_refused_before_anything_is_made(
    url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PENSTOCK_POSTGRES_URL", url)

    status = run("up", "--data", str(tmp_path / "data"))

    told = capsys.readouterr().err
    assert (status, (tmp_path / "data").exists()) == (1, False)
    assert "PENSTOCK_POSTGRES_URL" in told and "postgresql://USER" in told
    assert "secret" not in told


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p%25@db:5433,other:5434/penstock?sslmode=require",
        "postgres:///penstock?host=/run/postgresql",
        "host=db user=u",
    ],
)
def test_any_address_that_postgres_itself_takes_will_do(url: str) -> None:
    assert check_postgres_url(url) == url


def test_documents_are_found_in_files_arrays_and_directories(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one.json").write_text('{"name": "one"}')
    (tmp_path / "many.json").write_text('[{"name": "two"}, 3]')
    (tmp_path / "broken.json").write_text("{")

    found = list(find([tmp_path, tmp_path / "absent.json"]))

    documents = {Path(one.where).name: one.document for one in found if one.document}
    assert documents == {"one.json": {"name": "one"}, "many.json[0]": {"name": "two"}}
    problems = {Path(one.where).name: one.problem for one in found if one.problem}
    assert problems["many.json[1]"].startswith("is not a workflow document (a JSON object)")
    assert problems["broken.json"].startswith("is not JSON")
    assert problems["absent.json"] == "No such file or directory"


def test_a_folder_that_cannot_be_searched_is_a_problem_and_no_end_of_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "one.json").write_text('{"name": "one"}')
    searched = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path).name == "closed":
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), path)
        return searched(path)

    monkeypatch.setattr(os, "scandir", scandir)

    found = list(find([tmp_path]))

    assert [(Path(one.where).name, one.problem) for one in found] == [
        ("one.json", ""),
        ("closed", "Permission denied"),
    ]


def test_documents_are_taken_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b'[{"name": "one"}]'))
    monkeypatch.setattr(sys, "stdin", stdin)

    assert list(find([Path("-")])) == [Found("-[0]", {"name": "one"})]


@pytest.mark.parametrize("text", ["0", "257", "-1", "1.5", "x", "\u00b2", "", "9" * 5_000])
def test_what_is_no_count_is_refused_in_words(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    it = parser("up", "", examples="")
    it.add_argument("--gateways", type=whole(most=256))

    with pytest.raises(SystemExit):
        it.parse_args([f"--gateways={text}"])

    assert "--gateways: must be a whole number from 1 to 256" in capsys.readouterr().err


def test_a_table_of_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    table(["id"], [])

    assert capsys.readouterr().out == "none\n"


def test_a_refusal_of_the_server_keeps_every_problem_with_its_path() -> None:
    problem = {
        "title": "Unprocessable Content",
        "detail": "the document has problems",
        "remedy": "correct them",
        "problems": [{"path": "nodes[0].type", "message": "is missing", "remedy": "name it"}],
    }

    error = ApiError(422, problem)

    assert error.message == "Unprocessable Content: the document has problems"
    assert error.details() == ["nodes[0].type: is missing (name it)"]


def test_a_server_that_is_away_is_told_with_what_to_do() -> None:
    with pytest.raises(PenstockError, match="does not answer"):
        Api("http://127.0.0.1:9", "t").get("/workflows")


@pytest.mark.parametrize("url", ["", "ftp://x", "http://"])
def test_what_is_not_an_address_is_refused(url: str) -> None:
    with pytest.raises(PenstockError, match="is not an address"):
        Api(url, "t")


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (b'{"node": "Set", "status": "success", "took_us": 12}', '"took_us": 12'),
        (b'{"message": "[red]markup[/red]"}', "[red]markup[/red]"),
        (b"not json", "finished"),
        (b"[1]", '"value": [1]'),
    ],
)
def test_a_tap_line_shows_any_payload_as_text(payload: bytes, shown: str) -> None:
    line: Any = line_of("tap.main.wf.ex.finished", payload)

    assert shown in line.plain


def test_a_document_is_read_with_the_mark_that_editors_put_before_it(tmp_path: Path) -> None:
    file = tmp_path / "marked.json"
    file.write_text('{"nodes": [], "connections": {}}', encoding="utf-8-sig")

    (found,) = find([file])

    assert found.document == decode(file.read_bytes()) == decode(file.read_text())


def test_a_document_that_is_nested_too_deep_is_told_as_that(tmp_path: Path) -> None:
    file = tmp_path / "deep.json"
    file.write_text("[" * 100_000)

    (found,) = find([file])

    assert found.problem == "is nested too deep: at most 100 levels are allowed"


def test_to_roll_everything_and_some_is_a_contradiction(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("roll", "--all", "gateway-1")

    assert "give the names of programs, or --all" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_doctor_finds_that_a_directory_could_not_be_made() -> None:
    bad = [finding for finding in doctor.examine(Path("/proc/nope")) if finding.level == "bad"]

    assert [finding.what.partition(" ")[0] for finding in bad] == ["/proc/nope"]
    assert "on a disk" in bad[0].remedy


def test_doctor_finds_secrets_that_others_can_read(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("owner-token", "secrets.json", "resume-keys")]
    for file in files:
        file.write_text("{}")
        file.chmod(0o644)

    bad = [finding for finding in doctor.examine(tmp_path) if finding.level == "bad"]

    assert [finding.remedy for finding in bad] == [f"chmod 600 {file}" for file in files]


def test_doctor_finds_a_directory_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()

    whats = [finding.what for finding in doctor.examine(tmp_path) if finding.level == "bad"]

    assert whats == [f"{tmp_path} is not empty and not a Penstock data directory"]


def test_doctor_tells_what_user_code_would_be_kept_in(tmp_path: Path) -> None:
    found = list(doctor.examine(tmp_path / "new"))

    about = [finding for finding in found if "user code is kept in by" in finding.what]
    refused = [finding for finding in found if "user code is refused" in finding.what]
    assert len(about) + len(refused) == 1
    assert all("process" in finding.what and "layers" in finding.what for finding in about)


@pytest.mark.parametrize("token", ["a\nb", "schlüssel", "a\x00"])
def test_a_token_that_cannot_be_one_is_refused_before_it_is_sent(token: str) -> None:
    with pytest.raises(PenstockError) as refused:
        Api("http://127.0.0.1:1", token)

    assert "owner-token" in refused.value.remedy
    assert token not in refused.value.message


def test_an_address_without_a_token_says_that_the_token_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run("executions", "--url", "http://127.0.0.1:1", "--data", str(tmp_path / "none"))

    assert status == 1
    assert "there is no token for http://127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_a_limit_is_a_number_from_one(limit: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run("executions", "--limit", limit)

    assert ended.value.code == 2


@pytest.mark.parametrize("command", ["dead", "tap"])
def test_who_needs_the_broker_learns_at_once_that_nothing_runs_any_more(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "nats-url").write_text("nats://127.0.0.1:1\n")
    (tmp_path / "secrets.json").write_text('{"nats-tap": "t", "nats-actors": "a"}')
    (tmp_path / "lock").touch()

    assert run(command, "--data", str(tmp_path)) == 1

    assert capsys.readouterr().err.splitlines() == [
        f"penstock {command}: there is no running Penstock in {tmp_path}",
        "  start it with `penstock up`, give --data, or set PENSTOCK_NATS_URL",
    ]


@pytest.mark.parametrize("command", ["status", "dead", "tap", "roll"])
def test_what_may_not_be_read_is_one_line_and_what_to_do(
    command: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "lock"))

    monkeypatch.setattr(Path, "open", refuse)

    assert run(command, "--data", str(tmp_path)) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"penstock {command}: {tmp_path / 'lock'}: permission denied",
        "  run it as the user who owns that, or give another path",
    ]
