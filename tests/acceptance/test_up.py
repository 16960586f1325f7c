"""`penstock up` as an operator meets it: start, refuse, stop, recover."""

import json
import os
import signal
import stat
import subprocess
from pathlib import Path

import psutil

from tests.acceptance.client import PENSTOCK, Product, http, running, until
from tests.acceptance.documents import assign, chain, webhook
from tests.listeners import listeners


def processes_of(product: Product) -> list[psutil.Process]:
    return psutil.Process(product.process.pid).children(recursive=True)


def test_stopping_leaves_no_process_and_starting_again_keeps_everything(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as product:
        product.create(chain("kept", webhook("kept"), assign("Set", a="b")))
        execution = product.webhook("kept", {}).headers["x-penstock-execution"]
        product.finished(execution)
        children = processes_of(product)
        assert children
        product.process.send_signal(signal.SIGTERM)
        assert product.process.wait(12) == 0

    assert [child for child in children if child.is_running()] == []
    with running(data) as again:
        assert again.url == product.url
        assert again.webhook("kept", {}).json == {"a": "b"}
        assert again.finished(execution)["status"] == "success"


def test_the_owner_token_is_private_and_the_ports_are_loopback(tmp_path: Path) -> None:
    with running(tmp_path / "data") as product:
        mode = stat.S_IMODE((product.data / "owner-token").stat().st_mode)
        listening = {address for _, address, _ in listeners(product.process.pid)}

        assert mode == 0o600
        assert listening == {"127.0.0.1"}
        assert http("GET", f"{product.url}/healthz").status == 200
        assert http("GET", f"{product.url}/readyz").status == 200
        assert b"penstock_" in http("GET", f"{product.url}/metrics").body


def test_a_second_up_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    with running(tmp_path / "data") as product:
        second = subprocess.run(
            [*PENSTOCK, "up", "--data", str(product.data)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

        assert second.returncode == 1
        assert str(product.data) in second.stderr
        assert http("GET", f"{product.url}/healthz").status == 200


def test_after_kill_9_of_up_itself_the_next_start_recovers(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(data) as product:
        product.create(chain("again", webhook("again"), assign("Set", a="b")))
        children = processes_of(product)
        os.kill(product.process.pid, signal.SIGKILL)
        product.process.wait()
    until(lambda: not any(c.is_running() and c.status() != "zombie" for c in children), seconds=10)

    with running(data) as again:
        assert again.webhook("again", {}).json == {"a": "b"}


def test_the_command_line_talks_to_the_running_installation(tmp_path: Path) -> None:
    with running(tmp_path / "data") as product:
        document = tmp_path / "workflow.json"
        document.write_text(json.dumps(chain("cli", webhook("cli"), assign("Set", a="b"))))

        imported = product.cli("import", str(document), "--activate")
        answer = product.webhook("cli", {})
        execution = answer.headers["x-penstock-execution"]
        product.finished(execution)
        status = product.cli("status")
        executions = product.cli("executions")

        assert imported.returncode == 0, imported.stderr
        assert answer.json == {"a": "b"}
        assert "gateway" in status.stdout
        (shown,) = [line for line in executions.stdout.splitlines() if execution in line]
        assert shown.rstrip().endswith(" cli")


def test_importing_again_changes_nothing_or_makes_a_version(tmp_path: Path) -> None:
    with running(tmp_path / "data") as product:
        file = tmp_path / "workflow.json"

        def imported(value: str, *options: str) -> str:
            file.write_text(json.dumps(chain("cli", webhook("cli"), assign("Set", a=value))))
            done = product.cli("import", str(file), *options)
            assert done.returncode == 0, done.stderr
            return done.stdout

        first, again = imported("1", "--activate"), imported("1", "--activate")
        changed, another = imported("2"), imported("1", "--new")
        answer = product.webhook("cli", {})
        file.write_text(json.dumps(chain("odd", {"name": "x", "type": 3})))
        refused = product.cli("import", str(file))

        assert "(new)" in first and first.endswith("1 new\n")
        assert "version 1 already" in again and again.endswith("1 unchanged\n")
        assert "(version 2, which is active now)" in changed
        assert "(new)" in another
        assert answer.json == {"a": "2"}
        assert len(product.api("GET", "/workflows").json["workflows"]) == 2
        said = refused.stderr.splitlines()
        assert (refused.returncode, len(said)) == (1, len(set(said)))
        assert len([line for line in said if "nodes[0].type" in line]) == 1
