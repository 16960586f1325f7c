"""`penstock run`: execute a workflow document to its end, without a server, and print what it did.

Pinned data is used, as in n8n's editor. The output is JSON in the form of the conformance rows.
PENSTOCK_TIMEZONE is the time zone of workflows that name none, PENSTOCK_EGRESS_ALLOW lists private
networks that their nodes may reach.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from penstock.cli.arguments import parser
from penstock.cli.documents import read_document, read_items, refused
from penstock.cli.installation import Installation
from penstock.nodes.registry import REGISTRY
from penstock.subjects.config import DEFAULT_TIMEZONE, check_timezone
from penstock.subjects.errors import PenstockError
from penstock.subjects.messages import Item
from penstock.workflow.document import InvalidDocumentError

EXAMPLES = """\
  penstock run my-workflow.json
  penstock run my-workflow.json --items input.json
  penstock run caller.json --with called.json"""


def main(argv: list[str]) -> int:
    """0: finished, 1: failed or left waiting, 2: a file cannot be read or is invalid."""
    arguments = parser("run", "execute a workflow document without a server", examples=EXAMPLES)
    arguments.add_argument("file", type=Path, help="a workflow, as n8n exports it (-: stdin)")
    arguments.add_argument(
        "--items", type=Path, metavar="FILE", help="JSON: the items that start it"
    )
    arguments.add_argument(
        "--with",
        dest="others",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="a workflow that it may call, by its `id`; may be repeated",
    )
    options = arguments.parse_args(argv)
    try:
        document = read_document(options.file, REGISTRY)
        others = [read_document(path, REGISTRY) for path in options.others]
        items = read_items(options.items) if options.items else []
    except InvalidDocumentError as error:
        _print_problems(options.file, error)
        return 2
    except PenstockError as error:
        return refused("run", error)
    timezone = check_timezone(os.environ.get("PENSTOCK_TIMEZONE") or DEFAULT_TIMEZONE)
    told = asyncio.run(_execute([document, *others], items, timezone))
    print(msgspec.json.format(msgspec.json.encode(told)).decode())
    return 0 if told["status"] == "success" else 1


async def _execute(
    documents: list[dict[str, Any]], items: list[Item], timezone: str
) -> dict[str, Any]:
    async with Installation(timezone=timezone) as installation:
        for each in documents:
            await installation.save(each)
        history = await installation.execute(documents[0], items)
    return history.as_json()


def _print_problems(path: Path, error: InvalidDocumentError) -> None:
    count = len(error.problems)
    print(f"penstock run: {path} has {count} problem{'s' * (count > 1)}", file=sys.stderr)
    for problem in error.problems:
        print(f"  {problem}", file=sys.stderr)
        if problem.remedy:
            print(f"    {problem.remedy}", file=sys.stderr)
