"""The global names that user code finds beside JavaScript's own, and where each is made."""

import re
from functools import lru_cache
from typing import NamedTuple

INPUT = frozenset(
    {"$input", "$json", "$data", "$binary", "$itemIndex", "$position", "$thisItem"}
    | {"$thisItemIndex", "items", "item"}
)
"""The node's own input: parameters of a function around the code, as cheap as names can be."""

_PARTS = {
    "nodes": "$ $items",
    "node": """
        $node $item $execution $env $vars $secrets $prevNode $parameter $rawParameter $self
        $evaluateExpression $getPairedItem getNodeParameter helpers require global
        $getWorkflowStaticData getWorkflowStaticData $runIndex $thisRunIndex $mode $nodeVersion
        $nodeId $webhookId $workflow $jmespath $jmesPath $if $ifEmpty $min $max $average $not
        $fromAI $fromAi $fromai numberList zip min max average not
        extend extendOptional
    """,
    "time": "DateTime Duration Interval luxon $now $today",
    "bytes": "Buffer atob btoa TextEncoder TextDecoder",
    "url": "URL URLSearchParams",
    "web": "crypto structuredClone",
    "timers": (
        "setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate "
        "queueMicrotask"
    ),
    "console": "console",
    "extensions": "__extend",
    "natives": "JSON BigInt",
    "clock": "Date",
    "intl": "Intl",
}
PART_OF = {name: part for part, names in _PARTS.items() for name in names.split()}
"""The prelude part of every other name: a global, made when it is first used."""

MODULES = {"crypto": "web", "buffer": "bytes", "url": "url", "luxon": "time"}
"""What `require` gives: module names and the part that has a member of that name."""

_WORD = re.compile(r"[$\w]+")
_INDIRECT = frozenset({"globalThis", "global", "eval", "Function", "require", "constructor"})
_BARE = frozenset(
    {"__extend", "extend", "extendOptional", "numberList", "zip", "min", "max", "average", "not"}
)
"""Functions that only expressions know without a dollar."""
_CODE_ONLY = """
items item console Buffer atob btoa URL crypto structuredClone TextEncoder TextDecoder setTimeout
setInterval setImmediate clearTimeout clearInterval clearImmediate queueMicrotask require helpers
$getWorkflowStaticData getWorkflowStaticData getNodeParameter luxon global
"""
_HIDDEN = {
    "all": _BARE | {"item"},
    "each": _BARE | {"items"},
    "function": _BARE | {"item"},
    "functionItem": _BARE | {"items"},
    "expression": frozenset(_CODE_ONLY.split()),
}


class Names(NamedTuple):
    """What one text mentions: names of the input, and other names with their parts.

    The empty name stands for a part that changes methods and so is needed from the start."""

    input: list[str]
    other: list[tuple[str, str]]


@lru_cache(maxsize=256)
def names_of(source: str, mode: str) -> Names:
    """The names that `source` mentions; all of the others when it could compute a name."""
    words = set(_WORD.findall(source))
    hidden = _HIDDEN[mode]
    if words & {"this", "helpers"}:
        words.add("helpers")
    other = PART_OF.keys() if words & _INDIRECT else PART_OF.keys() & words
    found = [(name, PART_OF[name]) for name in sorted(other) if name not in hidden]
    if any(word.startswith("toLocale") for word in words):
        found.append(("", PART_OF["Date"]))
    return Names(sorted((INPUT & words) - hidden), found)


VISIBLE = (INPUT | PART_OF.keys()) - _HIDDEN["expression"]
"""What an expression finds beside JavaScript's own."""
