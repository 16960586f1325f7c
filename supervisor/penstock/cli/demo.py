"""`penstock up --demo`: the main job once, on a fresh installation, for a person to see.

Imports the sample workflow (once per data directory), activates it, calls its webhook and prints
how the execution went, node by node. It uses the public API only.
"""

import json
import shlex
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

from penstock.cli.api import Api, segment
from penstock.cli.arguments import DEFAULT_DATA
from penstock.cli.tables import pages
from penstock.subjects.errors import PenstockError

_PATH = "/webhook/demo/greet"
_PATIENCE_S = 15.0


def show(url: str, token: str, data: Path) -> None:
    """Run the demo against the server of a data directory and print it; raises when any part of it
    fails."""
    from rich.console import Console

    api = Api(url, token)
    console = Console(highlight=False, soft_wrap=True, markup=False)
    document = json.loads(files("penstock.cli").joinpath("demo.json").read_text("utf-8"))
    workflow = _imported(api, document)
    api.post(f"/workflows/{segment(workflow)}/activate")
    body = {"name": "Ada Lovelace"}
    execution, answer, took_ms = _call(api, body)
    console.print(f"\n{document['name']} is active at {url}{_PATH}")
    console.print(f"  sent     {json.dumps(body)}")
    console.print(f"  answered {answer.decode('utf-8', 'replace')} in {took_ms:.0f} ms")
    console.print(f"  execution {execution}")
    for node, runs in _ended(api, execution).get("runs", {}).items():
        for run in runs:
            console.print(_line(node, run))
    console.print(hints(url, execution, data))


def _imported(api: Api, document: dict[str, Any]) -> str:
    for workflow in pages(api, "/workflows"):
        if workflow["name"] == document["name"]:
            return str(workflow["id"])
    return str(api.post("/workflows", document)["id"])


def _call(api: Api, body: dict[str, str]) -> tuple[str, bytes, float]:
    """The execution's id, the webhook's answer, and how long that took in ms."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while True:
        started_s = time.monotonic()
        status, headers, answer = api.call("POST", _PATH, body, has_token=False)
        if status == 200:
            took_ms = (time.monotonic() - started_s) * 1000
            return headers.get("x-penstock-execution", ""), answer, took_ms
        # A gateway learns of an activation by watching; until then it may not know the path.
        if time.monotonic() > deadline_s or status not in (404, 503):
            raise PenstockError(
                f"the sample webhook answered {status}: {answer[:300].decode('utf-8', 'replace')}",
                remedy="see the logs in the data directory",
            )
        time.sleep(0.05)


def _ended(api: Api, execution: str) -> dict[str, Any]:
    """The execution once its history is complete, or as it is when patience ends."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while True:
        view: dict[str, Any] = api.get(f"/executions/{segment(execution)}")
        is_whole = view.get("finished_ms") and not view.get("is_partial")
        if is_whole or time.monotonic() > deadline_s:
            return view
        time.sleep(0.05)


def _line(node: str, run: dict[str, Any]) -> Any:
    """One run of a node. What is in it is text, never markup."""
    from rich.text import Text

    outputs = run.get("outputs") or []
    counts = " | ".join(str(len(items or [])) for items in outputs) or "0"
    first = next((items[0]["json"] for items in outputs if items), None)
    line = Text("    ")
    line.append("● ", style="green" if run.get("status") == "success" else "red")
    line.append(f"{node:<18} items {counts:<6} ")
    if first is not None:
        line.append(json.dumps(first, ensure_ascii=False)[:90], style="dim")
    return line


def hints(url: str, execution: str, data: Path) -> str:
    """What may be done next, to be copied into another terminal in the same directory."""
    of_ours = "" if data == Path(DEFAULT_DATA) else f" --data {shlex.quote(str(data))}"
    again = "curl -d '{\"name\": \"Bob\"}' -H 'Content-Type: application/json'"
    return (
        f"\n  again    {again} {url}{_PATH}\n"
        f"  look     penstock executions {execution}{of_ours}\n"
        "  stop     Ctrl-C\n"
    )
