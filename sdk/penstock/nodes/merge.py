"""Merge from version 2 on: appending, matching, pairing and choosing between inputs."""

from typing import Any

from penstock.nodes.combining import (
    Combine,
    combined_item,
    combiner,
    pairs_of,
    with_suffix,
)
from penstock.nodes.equality import equality
from penstock.nodes.matching import Matcher, Matches, checked_fields
from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.sdk.parameters import as_object, entries
from penstock.subjects.messages import Item, Outcome

_ENRICHED = ("enrichInput1", "enrichInput2")
_INPUTS_MAX = 10
_NOTHING: list[Item] = []
"""Stands for no output at all, which is recorded otherwise than an empty one."""


class Merge(Node):
    """Inputs by number; which of them count depends on the mode."""

    type = "n8n-nodes-base.merge"
    versions = (2, 2.1, 3, 3.1, 3.2)

    def run(self, call: Call) -> Outcome:
        mode = call.param("mode", 0, "append")
        if mode == "append":
            items = [item for one in _inputs(call) for item in one]
        elif mode == "chooseBranch":
            items = _chosen(call)
        elif mode == "combineBySql" and call.version >= 3:
            items = _by_query(call)
        elif mode == "combine":
            items = _combine(call)
        else:
            raise NodeError(f"The mode '{mode}' is not known")
        return call.items_out() if items is _NOTHING else call.items_out(items)

    def required(self, parameters: dict[str, Any], version: float) -> int | list[int]:
        return [0, 1] if parameters.get("mode") == "chooseBranch" else 1


def _inputs(call: Call) -> list[list[Item]]:
    """The items of all inputs, as many as the node says it has."""
    count = call.param("numberInputs", 0, 2) if call.version >= 3 else 2
    whole = int(count) if isinstance(count, int | float | str) and str(count).isdigit() else 2
    return [call.input(number) for number in range(min(max(whole, 1), _INPUTS_MAX))]


def _combine(call: Call) -> list[Item]:
    if call.version >= 3:
        by = call.param("combineBy", 0, "combineByFields")
    else:
        by = call.param("combinationMode", 0, "mergeByFields")
    clash = as_object(call.option("options.clashHandling.values"))
    if by in ("combineAll", "multiplex"):
        return _multiplied(call, clash)
    if by == "combineByPosition":
        return _paired_up(call, clash)
    if by == "mergeByPosition":
        return _zipped(call, clash)
    return _matched(call, clash)


def _by_query(call: Call) -> list[Item]:
    # Here, because a database engine is in it, which few merges need.
    from penstock.nodes.merge_sql import merge_by_query

    return merge_by_query(call, _inputs(call))


def _chosen(call: Call) -> list[Item]:
    output = call.param("output", 0, "specifiedInput" if call.version >= 3 else "input1")
    if output == "empty":
        paired = [item.get("pairedItem") for one in _inputs(call) for item in one]
        return [{"json": {}, "pairedItem": pairs_of(paired)}]
    if output in ("input1", "input2"):
        return call.input(int(output[-1]) - 1)
    number = call.param("useDataOfInput", 0, 1)
    if not str(number).isdigit() or not 1 <= int(number) <= len(_inputs(call)):
        raise NodeError(f"The input {number} is not allowed")
    return call.input(int(number) - 1)


def _multiplied(call: Call, clash: dict[str, Any]) -> list[Item]:
    """Every item of input 1 with every item of input 2."""
    first, second = call.input(0), call.input(1)
    if clash.get("resolveClash") == "addSuffix":
        first, second = with_suffix(first, "1"), with_suffix(second, "2")
    combine = combiner(clash)
    prefers_first = clash.get("resolveClash") == "preferInput1"
    return [
        combined_item(
            [b, a] if prefers_first else [a, b],
            combine,
            [a.get("pairedItem"), b.get("pairedItem")],
        )
        for a in first
        for b in second
    ]


def _zipped(call: Call, clash: dict[str, Any]) -> list[Item]:
    """Version 2: the two inputs by position; what has no partner goes through or is dropped."""
    first, second = call.input(0), call.input(1)
    keeps_unpaired = call.option("options.includeUnpaired", 0, False) is True
    if clash.get("resolveClash") == "addSuffix":
        first, second = with_suffix(first, "1"), with_suffix(second, "2")
    elif clash.get("resolveClash") == "preferInput1":
        first, second = second, first
    combine = combiner(clash)
    items = [
        combined_item([a, b], combine, [a.get("pairedItem"), b.get("pairedItem")])
        for a, b in zip(first, second, strict=False)
    ]
    if keeps_unpaired:
        items += max(first, second, key=len)[len(items) :]
    return items


def _paired_up(call: Call, clash: dict[str, Any]) -> list[Item]:
    """Version 3: any number of inputs by position, the preferred one merged last."""
    inputs = _inputs(call)
    how = str(clash.get("resolveClash") or "")
    preferred = len(inputs) - 1
    if how.startswith("preferInput") and how.removeprefix("preferInput").isdigit():
        preferred = min(int(how.removeprefix("preferInput")), len(inputs)) - 1
    if how == "addSuffix":
        inputs = [with_suffix(one, str(number)) for number, one in enumerate(inputs, 1)]
    sizes = [len(one) for one in inputs]
    keeps_unpaired = call.option("options.includeUnpaired", 0, False) is True
    combine = combiner(clash)
    items = []
    for position in range(max(sizes) if keeps_unpaired else min(sizes)):
        row = [one[position] if position < len(one) else {"json": {}} for one in inputs]
        row.append(row[preferred])
        items.append(combined_item(row, combine, [item.get("pairedItem") for item in row]))
    return items


def _matched(call: Call, clash: dict[str, Any]) -> list[Item]:
    """The two inputs by equal fields."""
    fields = checked_fields(_field_pairs(call))
    join = call.param("joinMode", 0, "keepMatches")
    data_from = call.param("outputDataFrom", 0, "both")
    matcher = Matcher(
        fields,
        equality(is_fuzzy=call.option("options.fuzzyCompare", 0, False) is True),
        only_first=call.option("options.multipleMatches", 0, "all") == "first",
        dots=call.option("options.disableDotNotation", 0, False) is not True,
    )
    if not call.input(0) or not call.input(1):
        return _without_partner(call, join, data_from)
    matches = matcher.match(call.input(0), call.input(1))
    if join == "keepNonMatches":
        return _unmatched(matches, data_from)
    if join in _ENRICHED or join == "keepEverything":
        return _enriched(matches, clash, join)
    if data_from == "input1":
        return [item for item, _ in matches.matched]
    if data_from == "input2":
        return matches.matched_2
    return _merged(matches, clash, prefers_first=False)


def _without_partner(call: Call, join: str, data_from: str) -> list[Item]:
    """What comes out when one input is empty, so that nothing can match."""
    first, second = call.input(0), call.input(1)
    if call.version < 2.1:
        return first
    if join == "keepEverything" or (join == "keepNonMatches" and data_from == "both"):
        return first + second
    if join == "keepNonMatches":
        return first if data_from == "input1" else second
    items = {"enrichInput1": first, "enrichInput2": second}.get(join, [])
    return items or (_NOTHING if call.version >= 3 else [])


def _field_pairs(call: Call) -> list[dict[str, Any]]:
    if call.version >= 3 and call.param("advanced", 0, False) is not True:
        names = str(call.param("fieldsToMatchString", 0, "") or "").split(",")
        return [{"field1": name.strip(), "field2": name.strip()} for name in names]
    return entries(call.param("mergeByFields"), "values")


def _unmatched(matches: Matches, data_from: str) -> list[Item]:
    if data_from == "input1":
        return matches.unmatched_1
    if data_from == "input2":
        return matches.unmatched_2
    return _sourced(matches.unmatched_1, "input1") + _sourced(matches.unmatched_2, "input2")


def _sourced(items: list[Item], source: str) -> list[Item]:
    return [{**item, "json": {**item["json"], "_source": source}} for item in items]


def _enriched(matches: Matches, clash: dict[str, Any], join: str) -> list[Item]:
    first, second = matches.unmatched_1, matches.unmatched_2
    if clash.get("resolveClash") == "addSuffix":
        first, second = with_suffix(first, "1"), with_suffix(second, "2")
    items = _merged(matches, clash, prefers_first=join == "enrichInput2")
    if join == "enrichInput1":
        return items + first
    return items + second if join == "enrichInput2" else items + first + second


def _merged(matches: Matches, clash: dict[str, Any], *, prefers_first: bool) -> list[Item]:
    """One item per pair of matching items."""
    how = clash.get("resolveClash") or ("preferInput1" if prefers_first else "preferLast")
    combine: Combine = combiner(clash)
    items = []
    for item, others in matches.matched:
        for other in others:
            pair = [other, item] if how == "preferInput1" else [item, other]
            paired = [one.get("pairedItem") for one in pair]
            if how == "addSuffix":
                pair = with_suffix([item], "1") + with_suffix([other], "2")
            items.append(combined_item(pair, combine, paired))
    return items
