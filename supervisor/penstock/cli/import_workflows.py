"""`penstock import`: documents from files into a server, each on its own.

A bad document does not stop the others; at the end the status is 1 if there was any. Documents
are checked by the server, which tells all problems of one at once.
"""

import sys
from pathlib import Path

from penstock.cli.api import Api, ApiError, segment
from penstock.cli.arguments import add_server, api_of, parser
from penstock.cli.document_files import Found, find

_EXAMPLES = """\
  penstock import my-workflow.json
  penstock import exported/ --activate        every .json file below a directory
  penstock import all-workflows.json          a JSON array of documents"""


def main(argv: list[str]) -> int:
    """Import all, report each."""
    it = parser("import", "Import workflow documents (n8n's export format).", examples=_EXAMPLES)
    it.add_argument("files", nargs="+", type=Path, metavar="FILE")
    it.add_argument("--activate", action="store_true", help="activate what was imported")
    add_server(it)
    options = it.parse_args(argv)
    api = api_of(options)
    results = [_import(api, found, is_activated=options.activate) for found in find(options.files)]
    failed = results.count(False)
    print(f"{len(results) - failed} imported, {failed} failed")
    return 1 if failed or not results else 0


def _import(api: Api, found: Found, *, is_activated: bool) -> bool:
    if found.document is None:
        _complain(found.where, found.problem)
        return False
    try:
        created = api.post("/workflows", found.document)
        print(f"{found.where}: {created['id']} {created.get('name', '')}")
        for problem in created.get("problems") or []:
            print(f"  note: {problem}")
        if is_activated:
            api.post(f"/workflows/{segment(str(created['id']))}/activate")
    except ApiError as error:
        if error.status in (401, 403, 503):
            raise
        _complain(found.where, error.message, *error.details())
        return False
    return True


def _complain(where: str, what: str, *details: str) -> None:
    print(f"{where}: {what}", file=sys.stderr)
    for detail in details:
        print(f"  {detail}", file=sys.stderr)
