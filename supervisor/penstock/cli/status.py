"""`penstock status`: the tree of programs, the partitions and their owners, streams, hosts.

Two sources. The supervisor's tree is read from DIR/run when `up` runs on this machine. The rest
comes from the gateway, `GET /api/v1/status`:

    {"programs":   [{"kind", "id", "pid", "started_ms", "draining"}],
     "partitions": [{"partition", "owner", "lag"}],
     "streams":    [{"name", "messages", "bytes", "first", "last", "consumers"}],
     "hosts":      [{"id", "free", "draining"}]}

Fields that are missing are shown as missing, so an older or newer server can be asked too.
"""

import argparse
import json
from typing import Any

from penstock.cli.arguments import add_server, api_of, parser
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
        served: dict[str, Any] = api_of(options).get("/status")
    except PenstockError:
        if tree and not options.json:
            _print_tree(tree)
        raise
    if options.json:
        print_json({"tree": tree, **served})
        return 0
    if tree:
        _print_tree(tree)
    for title, columns in _SECTIONS.items():
        _print_section(title, columns, served.get(title))
    return 0


_SECTIONS = {
    "programs": ["kind", "id", "pid", "draining"],
    "partitions": ["partition", "owner", "lag"],
    "streams": ["name", "messages", "bytes", "first", "last", "consumers", "lag"],
    "hosts": ["id", "tier", "free", "draining"],
}


def _tree(options: argparse.Namespace) -> dict[str, Any]:
    """The tree of an `up` that runs here on this data directory, else nothing."""
    data_dir = DataDir(options.data)
    if options.url or not data_dir.is_locked:
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


def _print_section(title: str, columns: list[str], rows: Any) -> None:
    if not isinstance(rows, list):
        print(f"{title}: not known")
        return
    print(title)
    present = [column for column in columns if any(column in row for row in rows)]
    table(present, [[str(row.get(column, "")) for column in present] for row in rows])
