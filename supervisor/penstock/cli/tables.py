"""Lists for people and for programs: tables with rich, or JSON; pages followed to their end."""

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from penstock.cli.api import Api

_WIDTH_UNSEEN = 200
"""Where nobody sees it (a pipe, a file), lines are as long as programs like them."""


def pages(api: Api, path: str, *, limit: int = 0, **query: object) -> Iterator[dict[str, Any]]:
    """The entries of a list, over its pages, at most `limit` (0: all)."""
    cursor = ""
    told = 0
    while True:
        answer = api.get(
            path, cursor=cursor, limit=min(limit - told, 100) if limit else 100, **query
        )
        entries, cursor = _page(answer)
        for entry in entries:
            yield entry
            told += 1
            if limit and told >= limit:
                return
        if not entries or not cursor:
            return


def _page(answer: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """The entries of one page, whatever the list is called, and where the next one begins."""
    entries = next((value for value in answer.values() if isinstance(value, list)), [])
    return entries, str(answer.get("next_cursor") or "")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, or `none`; text from the server is shown as it is, never read as markup.

    Only the last column may break: an id in two pieces can be neither copied nor searched for.
    """
    if not rows:
        print("none")
        return
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH_UNSEEN)
    made = Table(box=SIMPLE, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column != columns[-1])
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    console.print(made)


def print_json(value: Any) -> None:
    """Print JSON as other programs like to read it, escaped where stdout has not all characters."""
    is_whole = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(value, indent=2, ensure_ascii=not is_whole))


def moment(at_ms: Any) -> str:
    """A time in the zone of whoever looks; empty for none."""
    if not at_ms:
        return ""
    return datetime.fromtimestamp(float(at_ms) / 1000, UTC).astimezone().strftime("%F %T")


def duration(from_ms: Any, to_ms: Any) -> str:
    """How long it took; empty while it goes on."""
    if not from_ms or not to_ms:
        return ""
    took = float(to_ms) - float(from_ms)
    return f"{took:.0f} ms" if took < 10_000 else f"{took / 1000:.1f} s"
