"""The global names that user code finds beside JavaScript's own, and where each is made."""

import re

_PARTS = {
    "input": "$input $json $data $binary $itemIndex $position $thisItem $thisItemIndex items item",
    "node": """
        $ $node $items $item $execution $env $vars $secrets $prevNode $parameter $rawParameter $self
        $evaluateExpression $getPairedItem getNodeParameter helpers require global
        $getWorkflowStaticData getWorkflowStaticData $runIndex $thisRunIndex $mode $nodeVersion
        $nodeId $webhookId $workflow $jmespath $jmesPath $if $ifEmpty $min $max $average $not
        $fromAI $fromAi $fromai numberList zip min max average not
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
}
PART_OF = {name: part for part, names in _PARTS.items() for name in names.split()}
"""Each name's prelude part."""

MODULES = {"crypto": "web", "buffer": "bytes", "url": "url", "luxon": "time"}
"""What `require` gives: module names and the part that has a member of that name."""

_WORD = re.compile(r"[$\w]+")
_INDIRECT = frozenset({"globalThis", "global", "eval", "Function", "require", "constructor"})
_BARE = frozenset({"__extend", "numberList", "zip", "min", "max", "average", "not"})
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


def names_of(source: str, mode: str) -> list[tuple[str, str]]:
    """The names that `source` mentions, each with its part; all when it could compute a name."""
    words = set(_WORD.findall(source))
    hidden = _HIDDEN.get(mode, frozenset())
    if any(word.startswith("toLocale") for word in words):
        words.add("Date")
    wanted = PART_OF.keys() if words & _INDIRECT else PART_OF.keys() & words
    return [(name, PART_OF[name]) for name in sorted(wanted) if name not in hidden]


VISIBLE = frozenset(PART_OF) - _HIDDEN["expression"]
"""What an expression finds beside JavaScript's own."""
