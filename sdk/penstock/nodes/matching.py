"""Matching the items of two inputs by the values of some of their fields."""

from dataclasses import dataclass, field
from typing import Any

from penstock.nodes.equality import Equal, deep_equal
from penstock.sdk.call import NodeError
from penstock.sdk.paths import get_path
from penstock.subjects.messages import Item
from penstock.workflow.expressions.values import UNDEFINED

Fields = list[tuple[str, str]]
"""Pairs of fields, of the first and of the second input, that have to be equal."""


@dataclass(slots=True)
class Matches:
    """`matched[n]` is an item of the first input with those of the second that match it."""

    matched: list[tuple[Item, list[Item]]] = field(default_factory=list)
    matched_2: list[Item] = field(default_factory=list)
    unmatched_1: list[Item] = field(default_factory=list)
    unmatched_2: list[Item] = field(default_factory=list)


def checked_fields(pairs: list[dict[str, Any]]) -> Fields:
    """The pairs of fields to match on; raises when there is none, or half of one."""
    fields = [(str(pair.get("field1") or ""), str(pair.get("field2") or "")) for pair in pairs]
    if not fields or fields == [("", "")]:
        raise NodeError(
            'You need to define at least one pair of fields in "Fields to Match" to match on'
        )
    for number, (first, second) in enumerate(fields, 1):
        if not first or not second:
            raise NodeError(
                'You need to define both fields in "Fields to Match" for pair '
                f"{number}, \n field 1 = '{first}' \n field 2 = '{second}'"
            )
    return fields


@dataclass(slots=True, frozen=True)
class Matcher:
    """How to match: which fields, how compared, and whether one match is enough."""

    fields: Fields
    equal: Equal
    only_first: bool = False
    dots: bool = True

    def match(self, input_1: list[Item], input_2: list[Item]) -> Matches:
        """Every item of either input, by whether it has a match in the other."""
        found = Matches()
        used: set[int] = set()
        keys_2 = [self._values(item, 1) for item in input_2]
        index = _Index(keys_2) if self.equal is deep_equal else None
        for item in input_1:
            values = self._values(item, 0)
            if UNDEFINED in values:
                found.unmatched_1.append(item)
                continue
            candidates = range(len(input_2)) if index is None else index.candidates(values)
            hits = [n for n in candidates if all(map(self.equal, values, keys_2[n]))]
            if self.only_first:
                del hits[1:]
            used.update(hits)
            if hits:
                found.matched.append((item, [input_2[n] for n in hits]))
            else:
                found.unmatched_1.append(item)
        for n, item in enumerate(input_2):
            (found.matched_2 if n in used else found.unmatched_2).append(item)
        return found

    def _values(self, item: Item, side: int) -> list[Any]:
        return [get_path(item["json"], pair[side], dots=self.dots) for pair in self.fields]


class _Index:
    """Items by the value of their first field, so that matching is not quadratic."""

    def __init__(self, keys: list[list[Any]]) -> None:
        self._by_value: dict[Any, list[int]] = {}
        self._others: list[int] = []
        for n, values in enumerate(keys):
            if isinstance(values[0], str | int | float):
                self._by_value.setdefault(values[0], []).append(n)
            else:
                self._others.append(n)

    def candidates(self, values: list[Any]) -> list[int]:
        """Items that may match, in order: equal values are always among them."""
        if isinstance(values[0], str | int | float):
            return self._by_value.get(values[0], [])
        return self._others
