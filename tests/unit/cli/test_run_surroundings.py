"""What `penstock run` takes from its surroundings: the time zone, and where nodes may connect."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from penstock.cli import run
from penstock.subjects.config import Config
from penstock.subjects.errors import PenstockError
from tests.unit.cli.test_run_and_test import SET, TRIGGER, chain, node, written


class Hello(BaseHTTPRequestHandler):
    """Answers every GET with a greeting."""

    def do_GET(self) -> None:
        body = b'{"hello": "world"}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Not in the tests' output."""


@pytest.fixture
def private_server() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Hello)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def fetching(url: str) -> dict[str, Any]:
    request = node("Fetch", "n8n-nodes-base.httpRequest", 4.2, url=url, options={})
    return chain(node("T", TRIGGER), request)


def test_nodes_reach_private_networks_that_the_environment_allows(
    private_server: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PENSTOCK_EGRESS_ALLOW", "127.0.0.0/8")

    status = run.main([written(tmp_path, "wf.json", fetching(private_server))])

    told = json.loads(capsys.readouterr().out)
    assert (status, told.get("error")) == (0, None)
    assert told["runs"]["Fetch"][0]["outputs"][0][0]["json"] == {"hello": "world"}


def test_nodes_reach_no_private_network_by_default(
    private_server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run.main([written(tmp_path, "wf.json", fetching(private_server))])

    told = json.loads(capsys.readouterr().out)
    assert status == 1
    assert "127.0.0.1" in told["error"]


def test_a_workflow_without_a_time_zone_has_the_instances_in_every_tier(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_TIMEZONE", "Asia/Tokyo")
    assigned = [{"name": "zone", "type": "string", "value": "={{ $now.zoneName }}"}]
    inline = node("Inline", SET, 3.4, assignments={"assignments": assigned})
    code = "return [{json: {zone: $now.zoneName}}]"
    sandboxed = node("Sandboxed", "n8n-nodes-base.code", 2, jsCode=code)
    document = chain(node("T", TRIGGER), inline, sandboxed)

    status = run.main([written(tmp_path, "wf.json", document)])

    told = json.loads(capsys.readouterr().out)
    zones = [told["runs"][name][0]["outputs"][0][0]["json"] for name in ("Inline", "Sandboxed")]
    assert status == 0
    assert zones == [{"zone": "Asia/Tokyo"}] * 2


def test_a_time_zone_that_does_not_exist_is_refused_at_the_start() -> None:
    env = {"PENSTOCK_NATS_URL": "nats://127.0.0.1:1", "PENSTOCK_TIMEZONE": "Mars/Olympus"}

    with pytest.raises(PenstockError, match="Mars/Olympus"):
        Config.from_env(env)
