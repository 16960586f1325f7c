"""`penstock workflows`: list them, switch them on and off."""

import sys
from typing import Any

from penstock.cli.api import Api, ApiError, segment
from penstock.cli.arguments import add_server, api_of, parser
from penstock.cli.tables import pages, print_json, table

_EXAMPLES = """\
  penstock workflows
  penstock workflows list --json
  penstock workflows activate ID…
  penstock workflows deactivate ID…"""


def main(argv: list[str]) -> int:
    """List, activate or deactivate."""
    it = parser("workflows", "List, activate and deactivate workflows.", examples=_EXAMPLES)
    it.add_argument("action", nargs="?", default="list", choices=["list", "activate", "deactivate"])
    it.add_argument("ids", nargs="*", metavar="ID")
    it.add_argument("--json", action="store_true", help="print JSON")
    add_server(it)
    options = it.parse_args(argv)
    if (options.action == "list") == bool(options.ids):
        it.error(
            f"{options.action} takes {'no' if options.action == 'list' else 'at least one'} ID"
        )
    api = api_of(options)
    if options.action == "list":
        return _list(api, is_json=options.json)
    return max(_switch(api, options.action, workflow) for workflow in options.ids)


def _list(api: Api, *, is_json: bool) -> int:
    rows = list(pages(api, "/workflows"))
    if is_json:
        print_json(rows)
    else:
        table(["id", "name", "active", "version", "problems"], [_row(row) for row in rows])
    return 0


def _row(row: dict[str, Any]) -> list[str]:
    return [
        str(row["id"]),
        str(row.get("name", "")),
        "yes" if row.get("active") else "no",
        str(row.get("version", "")),
        "; ".join(map(str, row.get("problems") or [])),
    ]


def _switch(api: Api, action: str, workflow: str) -> int:
    try:
        api.post(f"/workflows/{segment(workflow)}/{action}")
    except ApiError as error:
        if error.status in (401, 403, 503):
            raise
        what, *details = error.lines()
        print(f"{workflow}: {what}", file=sys.stderr)
        for detail in details:
            print(f"  {detail}", file=sys.stderr)
        return 1
    print(f"{workflow}: {action}d")
    return 0
