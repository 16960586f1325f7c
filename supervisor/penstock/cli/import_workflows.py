"""`penstock import`: documents from files into a server, each on its own.

What is there already is not made again. A document belongs to the workflow that came with the same
id, or, where one of the two has none, to the one of the same name: if it says the same nothing is
done, else it becomes that workflow's next version. `--new` makes a workflow of each. Documents of
one import never become versions of each other: many export several workflows under one name.

A bad document does not stop the others; at the end the status is 1 if there was any. Documents
are checked by the server, which tells all problems of one at once.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from penstock.cli.api import Api, ApiError, segment
from penstock.cli.arguments import add_server, api_of, parser
from penstock.cli.document_files import Found, find
from penstock.cli.tables import pages

_EXAMPLES = """\
  penstock import my-workflow.json            new, or the next version of what has its id or name
  penstock import exported/ --activate        every .json file below a directory
  penstock import all-workflows.json          a JSON array of documents
  penstock import template.json --new         one more, whatever is there"""


def main(argv: list[str]) -> int:
    """Import all, report each."""
    it = parser("import", "Import workflow documents (n8n's export format).", examples=_EXAMPLES)
    it.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="or a directory, or - for stdin"
    )
    it.add_argument("--activate", action="store_true", help="activate what was imported")
    it.add_argument("--new", action="store_true", help="make new workflows, no versions")
    add_server(it)
    options = it.parse_args(argv)
    api = api_of(options)
    there = [] if options.new else list(pages(api, "/workflows"))
    importing = Importing(api, there, is_activated=options.activate)
    results = [importing.take(found) for found in find(options.files)]
    kinds = ("new", "new version", "unchanged", "failed")
    counts = [(kind, results.count(kind)) for kind in kinds]
    print(", ".join(f"{count} {kind}" for kind, count in counts if count) or "nothing to import")
    return 1 if "failed" in results or not results else 0


class Match(NamedTuple):
    """The workflow that a document belongs to, if any, or why nobody can say."""

    workflow: dict[str, Any] | None = None
    problem: str = ""


class Importing:
    """One import. `there` are the workflows from before it."""

    def __init__(self, api: Api, there: Iterable[dict[str, Any]], *, is_activated: bool) -> None:
        self._api = api
        self._there = list(there)
        self._is_activated = is_activated

    def take(self, found: Found) -> str:
        """Import one document; what became of it: new, new version, unchanged or failed."""
        if found.document is None:
            _complain(found.where, found.problem)
            return "failed"
        match = belongs_to(found.document, self._there)
        if match.problem:
            _complain(found.where, match.problem)
            return "failed"
        try:
            return self._store(found.where, found.document, match.workflow)
        except ApiError as error:
            if error.status in (401, 403, 503):
                raise
            _complain(found.where, *error.lines())
            return "failed"

    def _store(self, where: str, document: dict[str, Any], before: dict[str, Any] | None) -> str:
        if before is None:
            stored, kind, said = self._api.post("/workflows", document), "new", "new"
        else:
            path = f"/workflows/{segment(str(before['id']))}"
            stored = self._api.get(path)
            number = stored["version"]
            if stored.pop("document") != document:
                stored = self._api.put(path, document)
            kind, said = "unchanged", f"unchanged: it is version {number} already"
            if stored["version"] != number:
                kind, said = "new version", f"version {stored['version']}"
                if stored["active"]:
                    said += ", which is active now"
                elif not self._is_activated:
                    said += ", not active"
        print(f"{where}: {stored['id']} {stored.get('name', '')} ({said})")
        if self._is_activated:
            stored = self._api.post(f"/workflows/{segment(str(stored['id']))}/activate")
            print(f"  active{_addresses(stored)}")
        for problem in stored.get("problems") or []:
            print(f"  note: {problem}")
        return kind


def _addresses(workflow: dict[str, Any]) -> str:
    """Where the webhooks of a workflow are called."""
    hooks = [f"{hook['method']} {hook['url']}" for hook in workflow.get("webhooks") or []]
    return f": {', '.join(hooks)}" if hooks else ""


def belongs_to(document: dict[str, Any], there: Iterable[dict[str, Any]]) -> Match:
    """The one of `there` that has the document's id, else the one that has its name, unless both
    have ids: those tell apart what is called the same."""
    document_id, name = str(document.get("id") or ""), str(document.get("name") or "").strip()
    named = []
    for workflow in there:
        its_id = str(workflow.get("document_id") or "")
        if document_id and document_id in (its_id, workflow.get("id")):
            return Match(workflow)
        if name and workflow.get("name") == name and not (document_id and its_id):
            named.append(workflow)
    if len(named) > 1:
        ids = ", ".join(str(workflow["id"]) for workflow in named)
        return Match(problem=f"{len(named)} workflows are named {name!r} ({ids}); give --new")
    return Match(named[0] if named else None)


def _complain(where: str, what: str, *details: str) -> None:
    print(f"{where}: {what}", file=sys.stderr)
    for detail in details:
        print(f"  {detail}", file=sys.stderr)
