"""`penstock test`: run rows of workflow and expectation, print what differs, count."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from penstock.cli.arguments import parser
from penstock.cli.documents import read_text, refused
from penstock.cli.local_host import LocalHost, from_cache
from penstock.cli.rows import Rows
from penstock.cli.test_data import WithTestData
from penstock.nodes.registry import REGISTRY
from penstock.subjects.errors import PenstockError
from penstock.workflow.plan_cache import PlanCache

EXAMPLES = """\
  penstock test runs.jsonl
  penstock test runs.jsonl --only A/18/ --fixtures ./fixtures"""


def main(argv: list[str]) -> int:
    """0: all rows passed, 1: some failed, 2: a file is no list of rows, or there is none to run."""
    arguments = parser("test", "run workflows and compare with expectations", examples=EXAMPLES)
    arguments.add_argument("files", type=Path, nargs="+", metavar="FILE.jsonl")
    arguments.add_argument("--only", default="", help="rows whose id holds this text")
    arguments.add_argument("--fixtures", default="", help="what {FIXTURES} stands for")
    options = arguments.parse_args(argv)
    try:
        rows = _chosen(options.files, options.fixtures, options.only)
    except PenstockError as error:
        return refused("test", error)
    passed = asyncio.run(_run(rows))
    print(f"{passed} passed, {len(rows) - passed} failed")
    return 0 if passed == len(rows) else 1


def _chosen(files: list[Path], fixtures: str, only: str) -> list[dict[str, Any]]:
    """The rows to run: at least one, since a run of nothing would look like a success."""
    rows = [row for path in files for row in read_rows(path, fixtures)]
    if not rows:
        raise PenstockError(
            "there is no row in " + ", ".join(map(str, files)),
            remedy="give one JSON object with `workflow` and `expected` per line",
        )
    chosen = [row for row in rows if only in str(row["id"])]
    if not chosen:
        raise PenstockError(
            f"none of {len(rows)} rows has {only!r} in its id", remedy="give another --only"
        )
    return chosen


def read_rows(path: Path, fixtures: str = "") -> list[dict[str, Any]]:
    """The rows of a JSON lines file; `PenstockError` naming the first line that is none."""
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        text = line.replace(b"{FIXTURES}", fixtures.encode()) if fixtures else line
        try:
            row = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise PenstockError(
                f"{path}:{number}: not JSON: {error}", remedy="give one JSON object per line"
            ) from error
        if not isinstance(row, dict) or not {"workflow", "expected"} <= row.keys():
            raise PenstockError(
                f"{path}:{number}: a row needs `workflow` and `expected`",
                remedy="give one JSON object per line with both",
            )
        row.setdefault("id", f"{path.name}:{number}")
        rows.append(row)
    return rows


async def _run(rows: list[dict[str, Any]]) -> int:
    plans = PlanCache(WithTestData(REGISTRY), nodes_max=500)
    passed = 0
    async with LocalHost(from_cache(plans)) as host:
        runner = Rows(plans, host.run)
        for row in rows:
            found = await runner.check(row)
            passed += not found
            if found:
                print(f"{row['id']}")
                for line in found:
                    print(f"  {line}")
    return passed
