"""What a drill came to: figures with their limits, and the table that shows them.

A drill is a function `(n, seed) -> list[Figure]`. It raises nothing for a broken promise: a figure
says it, so that a table is complete. `broken` is what tests assert to be empty.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

SHOWN_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Figure:
    """One measure of a row of the table. `is_kept`: within its limit."""

    row: int
    measure: str
    value: str
    limit: str
    is_kept: bool
    n: int
    seed: int


class Drawn(NamedTuple):
    """What figures of one drill share: how many were tried, and from which seed."""

    row: int
    n: int
    seed: int

    def at_most(self, measure: str, value: float, limit: float, unit: str = "") -> Figure:
        """A figure that must not be larger than `limit`."""
        return self._figure(measure, value, f"<= {_text(limit, unit)}", value <= limit, unit)

    def at_least(self, measure: str, value: float, limit: float, unit: str = "") -> Figure:
        """A figure that must not be smaller than `limit`."""
        return self._figure(measure, value, f">= {_text(limit, unit)}", value >= limit, unit)

    def none_of(self, measure: str, found: Iterable[object]) -> Figure:
        """Nothing may have been found; the first few are shown."""
        every = list(found)
        words = f" ({', '.join(str(one) for one in every[:3])[:SHOWN_CHARACTERS]})" if every else ""
        text = f"{len(every)}{words}"
        return Figure(self.row, measure, text, "0", not every, self.n, self.seed)

    def told(self, measure: str, value: float, unit: str = "") -> Figure:
        """A figure that is published without a limit."""
        return self._figure(measure, value, "-", True, unit)

    def _figure(self, measure: str, value: float, limit: str, kept: bool, unit: str) -> Figure:
        return Figure(self.row, measure, _text(value, unit), limit, kept, self.n, self.seed)


def _text(value: float, unit: str) -> str:
    number = str(value) if isinstance(value, int) else f"{value:.4g}"
    return f"{number} {unit}".rstrip()


def broken(figures: Iterable[Figure]) -> list[str]:
    """The figures that exceed their limits, after all were printed."""
    every = list(figures)
    print(table(every))
    return [line(figure) for figure in every if not figure.is_kept]


def line(figure: Figure) -> str:
    """One figure in words, with how to play it again."""
    return (
        f"row {figure.row}: {figure.measure}: {figure.value}, limit {figure.limit}"
        f" (n {figure.n}, seed {figure.seed})"
    )


def table(figures: Iterable[Figure]) -> str:
    """Figures as a table for people."""
    rows = [["row", "measure", "value", "limit", "n", "seed", ""]]
    for it in figures:
        verdict = "kept" if it.is_kept else "BROKEN"
        rows.append([str(it.row), it.measure, it.value, it.limit, str(it.n), str(it.seed), verdict])
    widths = [max(min(len(row[column]), 60) for row in rows) for column in range(7)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
