"""`penstock status`: the tree of programs, the partitions and their owners, streams, hosts.

Two sources. The supervisor's tree is read from DIR/run when `up` runs on this machine. The rest
comes from the gateway, `GET /api/v1/status`; what it does not say is left out.
"""

import argparse
import json
import os
from typing import Any

from penstock.cli.arguments import ANSWER_S, add_server, api_of, parser
from penstock.cli.isolation import in_words
from penstock.cli.tables import print_json, table
from penstock.subjects.errors import PenstockError
from penstock.supervisor.data_dir import DataDir

_EXAMPLES = """\
  penstock status
  penstock status --data ./data --json
  PENSTOCK_URL=http://HOST:PORT PENSTOCK_TOKEN=… penstock status"""


def main(argv: list[str]) -> int:
    """Show what can be known; status 1 when the server does not answer."""
    it = parser("status", "Show programs, partitions, streams and hosts.", examples=_EXAMPLES)
    it.add_argument("--json", action="store_true", help="print JSON")
    add_server(it)
    options = it.parse_args(argv)
    tree = _tree(options)
    try:
        served: dict[str, Any] = api_of(options, timeout_s=ANSWER_S).get("/status")
    except PenstockError:
        if tree and not options.json:
            _print_tree(tree)
        raise
    if options.json:
        print_json({"tree": tree, **served})
        return 0
    if tree:
        _print_tree(tree)
    _print_served(served)
    return 0


def _tree(options: argparse.Namespace) -> dict[str, Any]:
    """The tree of an `up` that runs here on this data directory, else nothing."""
    data_dir = DataDir(options.data)
    if options.url or os.environ.get("PENSTOCK_URL") or not data_dir.is_locked:
        return {}
    try:
        tree: dict[str, Any] = json.loads(data_dir.tree_file.read_text())
    except (OSError, ValueError):
        return {}
    return tree


def _print_tree(tree: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.tree import Tree

    made = Tree(f"penstock up (pid {tree.get('pid')})")
    for group in tree.get("children", []):
        branch = made.add(str(group["name"]))
        for child in group.get("children", []):
            colour = {"ready": "green", "starting": "yellow"}.get(child["state"], "red")
            branch.add(
                f"[{colour}]●[/{colour}] {child['name']} {child['state']}, "
                f"pid {child.get('pid')}, {child['restarts']} restarts"
                + (f" (last: {child['last_exit'][:80]!r})" if child["last_exit"] else "")
            )
    Console(highlight=False).print(made)


def _print_served(served: dict[str, Any]) -> None:
    programs = served.get("programs") or []
    hosts = [program for program in programs if program.get("kind") == "sandbox"]
    _print_rows("programs", ["kind", "id", "pid", "heard_ms_ago", "draining"], programs)
    for program in programs:
        for problem in program.get("problems") or []:
            print(f"problem of {program['kind']} {program['id']}: {problem}")
    _print_rows("partitions", ["owner", "partitions"], _by_owner(served.get("partitions") or []))
    for host in hosts:
        host["isolation"] = in_words(host.get("isolation") or {})
    _print_rows("sandbox hosts", ["id", "pid", "free", "draining", "isolation"], hosts)
    streams = ["name", "messages", "bytes", "first", "last", "consumers", "problem"]
    _print_rows("streams", streams, served.get("streams") or [])
    streams_by_name = {one.get("name"): one for one in served.get("streams") or []}
    dead = streams_by_name.get("DEAD", {})
    if dead.get("messages"):
        print(f"in quarantine: {dead['messages']} messages; see `penstock dead`")
    lag = served.get("history_lag", -1)
    print(f"history lag: {'not known' if lag < 0 else f'{lag} messages'}")
    print(f"workflows: {served.get('workflows')}, active: {served.get('active_workflows')}")


def _by_owner(partitions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    owned: dict[str, list[str]] = {}
    for one in partitions:
        owned.setdefault(one.get("owner") or "nobody", []).append(str(one.get("partition")))
    return [{"owner": owner, "partitions": " ".join(of)} for owner, of in sorted(owned.items())]


def _print_rows(title: str, columns: list[str], rows: list[dict[str, Any]]) -> None:
    print(title if rows else f"{title}: none")
    present = [column for column in columns if any(row.get(column) for row in rows)]
    if rows:
        table(present, [[str(row.get(column, "")) for column in present] for row in rows])
