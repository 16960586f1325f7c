"""The global names that user code finds beside JavaScript's own, and where each is made."""

import re

_PARTS = {
    "input": (
        "$input $json $data $binary $itemIndex $position $thisItem $thisItemIndex items item"
    ),
    "node": (
        "$ $node $items $item $execution $env $vars $secrets $jmespath $jmesPath $prevNode "
        "$parameter $rawParameter $evaluateExpression $getPairedItem getNodeParameter helpers "
        "require $getWorkflowStaticData getWorkflowStaticData $runIndex $thisRunIndex $mode "
        "$nodeVersion $nodeId $webhookId $workflow $self global"
    ),
    "time": "DateTime Duration Interval luxon $now $today",
    "bytes": "Buffer atob btoa TextEncoder TextDecoder",
    "url": "URL URLSearchParams",
    "web": "crypto structuredClone",
    "timers": (
        "setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate "
        "queueMicrotask"
    ),
    "console": "console",
    "json": "JSON",
}
PART_OF = {name: part for part, names in _PARTS.items() for name in names.split()}
"""Each name's prelude part."""

MODULES = {"crypto": "crypto", "buffer": "buffer", "url": "url", "luxon": "luxon"}
"""What `require` gives: module names and the global that stands for each."""

_WORD = re.compile(r"[$\w]+")
_INDIRECT = frozenset({"globalThis", "global", "eval", "Function", "require", "constructor"})
_HIDDEN = {"all": {"item"}, "each": {"items"}, "function": {"item"}, "functionItem": {"items"}}


def names_of(source: str, mode: str) -> list[tuple[str, str]]:
    """The names that `source` mentions, each with its part; all when it could compute a name."""
    words = set(_WORD.findall(source))
    hidden = _HIDDEN.get(mode, set())
    wanted = PART_OF.keys() if words & _INDIRECT else PART_OF.keys() & words
    return [(name, PART_OF[name]) for name in sorted(wanted) if name not in hidden]
