"""`penstock executions`: list them with filters, show one with its nodes, cancel, retry."""

import argparse
import json
from typing import Any

from penstock.cli.api import Api, segment
from penstock.cli.arguments import add_server, api_of, parser, whole
from penstock.cli.tables import duration, moment, pages, print_json, table

_EXAMPLES = """\
  penstock executions --status error --limit 20
  penstock executions ID
  penstock executions ID --json
  penstock executions ID --cancel
  penstock executions ID --retry"""

_COLUMNS = ["id", "status", "mode", "started", "took", "workflow"]
_STATUSES = ["running", "waiting", "success", "error", "canceled"]


def main(argv: list[str]) -> int:
    """List, or do something with one."""
    options = _options(argv)
    api = api_of(options)
    if not options.id:
        return _list(api, options)
    path = f"/executions/{segment(options.id)}"
    if options.cancel or options.retry:
        answer = api.post(f"{path}/{'cancel' if options.cancel else 'retry'}")
        print((answer or {}).get("id", options.id), "canceled" if options.cancel else "started")
        return 0
    _show(api.get(path), is_json=options.json)
    return 0


def _options(argv: list[str]) -> argparse.Namespace:
    it = parser("executions", "List executions, or show one.", examples=_EXAMPLES)
    it.add_argument("id", nargs="?", default="", metavar="ID")
    it.add_argument("--status", choices=_STATUSES)
    it.add_argument("--workflow", metavar="ID")
    it.add_argument("--limit", type=whole(), default=50, metavar="N", help="at most (default: 50)")
    it.add_argument("--json", action="store_true", help="print JSON")
    one = it.add_mutually_exclusive_group()
    one.add_argument("--cancel", action="store_true", help="stop it")
    one.add_argument("--retry", action="store_true", help="start it again")
    add_server(it)
    options = it.parse_args(argv)
    if (options.cancel or options.retry) and not options.id:
        it.error("--cancel and --retry need an ID")
    return options


def _list(api: Api, options: argparse.Namespace) -> int:
    rows = list(
        pages(
            api,
            "/executions",
            limit=options.limit,
            status=options.status,
            workflow=options.workflow,
        )
    )
    if options.json:
        print_json(rows)
    else:
        table(_COLUMNS, [_row(row) for row in rows])
    return 0


def _row(row: dict[str, Any]) -> list[str]:
    status = str(row.get("status", ""))
    why = row.get("waiting_for")
    started = row.get("started_ms") or row.get("received_ms")
    return [
        str(row.get("id", "")),
        f"{status}: {why}" if status == "waiting" and why else status,
        str(row.get("mode", "")),
        moment(started),
        duration(started, row.get("finished_ms")),
        f"{row.get('workflow', '')} {row.get('workflow_name') or ''}".strip(),
    ]


def _show(view: dict[str, Any], *, is_json: bool) -> None:
    if is_json:
        print_json(view)
        return
    table(_COLUMNS, [_row(view)])
    runs = [
        (run.get("index", 0), node, run)
        for node, entries in (view.get("runs") or {}).items()
        for run in entries
    ]
    table(
        ["#", "node", "status", "took", "items", "first item or error"],
        [_run_row(index, node, run) for index, node, run in sorted(runs, key=lambda run: run[0])],
    )
    if left_out := view.get("runs_left_out"):
        print(f"{left_out} earlier runs are left out: the answer has no room for them")
    if error := view.get("error"):
        print(f"error: {error.get('message', '')}")
        if description := error.get("description"):
            print(f"  {description}")


def _run_row(index: int, node: str, run: dict[str, Any]) -> list[str]:
    outputs = run.get("outputs") or []
    first = next((items[0].get("json") for items in outputs if items), None)
    error = (run.get("error") or {}).get("message", "")
    if run.get("is_partial"):
        error = error or "(too large to be shown)"
    return [
        str(index),
        node,
        str(run.get("status", "")),
        f"{run.get('took_us', 0) / 1000:.1f} ms",
        " | ".join(str(len(items or [])) for items in outputs),
        error or ("" if first is None else json.dumps(first, ensure_ascii=False)[:120]),
    ]
