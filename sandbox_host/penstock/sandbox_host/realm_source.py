"""The texts of one program's realm: the prelude's core, and the user's code in a function.

A realm lives for one run, so what it evaluates is paid for by every run, and parsing is most of
that. What the code does not mention is therefore left out of the core: names of the node's input,
members of `$input`, and the promise around code that has nothing to wait for.
"""

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from penstock.sandbox_host.names import names_of

MARGIN_LINES = 1000
"""Lines before the user's text: the engine names all sources alike, so that what stands below this
number is the prelude's and all other lines the user's."""
_MARGIN = "\n" * (MARGIN_LINES - 1)
_PRELUDE = Path(__file__).with_name("prelude")

_INPUT = {
    "$input": "$input",
    "items": "items",
    "item": "item",
    "$json": "item?.json",
    "$data": "item?.json",
    "$binary": "item?.binary ?? {}",
    "$thisItem": "item",
    "$itemIndex": "op",
    "$position": "op",
    "$thisItemIndex": "op",
}
"""The names of the input, in the words of core.js."""

_MEMBERS = {
    "all": "all: () => items",
    "first": "first: () => items[0]",
    "last": "last: () => items.at(-1)",
    "item": "get item() { return items[realm.index]; }",
    "params": 'get params() { return part("ask")("inputParams"); }',
    "context": 'get context() { return part("ask")("inputContext"); }',
}
_SETTLE = (
    "%s.forEach((one) => {"
    " if (one && typeof one === 'object' && 'json' in one) one.json ??= null; });"
)
"""`json: undefined` would vanish in the text: null says the same (it is there, and no object)."""
_FINISH = {
    "each": _SETTLE % "[v].flat()",
    "expression": 'v = part("extensions").told(v);',
}
_FINISH_ALL = f"if (Array.isArray(v)) {_SETTLE % 'v'}"

_MEMBER = re.compile(r"\$input(?:\s*\??\.\s*(\w+))?")
_MAY_WAIT = re.compile(
    r"\b(?:await|\w*[aA]sync\w*|Promise|queueMicrotask|set(?:Timeout|Interval|Immediate)"
    r"|import|eval|Function|constructor|helpers)\b|\\u"
)
"""What code mentions that leaves something to be done after it returned."""


class RealmSource(NamedTuple):
    """`head` and `tail` stand around the user's text; `other` is JSON, empty when there is none."""

    core: str
    head: str
    tail: str
    other: str


@lru_cache(maxsize=256)
def realm_source(source: str, mode: str, is_async: bool) -> RealmSource:
    """The texts for a program that mentions what `source` mentions."""
    names = names_of(source, mode)
    values = dict(_INPUT, item="item.json") if mode == "functionItem" else _INPUT
    core = (
        _core()
        .replace("MODE", mode)
        .replace("FINISH", _FINISH.get(mode, _FINISH_ALL))
        .replace("INPUT", _input(source) if "$input" in names.input else "undefined")
        .replace("NAMES", ", ".join(values[name] for name in names.input))
    )
    # Both heads are as wide as the one with which faults.py parses: columns must agree.
    kind = "async function" if is_async else "      function"
    return RealmSource(
        core,
        f"{_MARGIN}(({','.join(names.input)}) =>\n({kind}(){{",
        "\n}))",
        msgspec.json.encode(names.other).decode() if names.other else "",
    )


@lru_cache(maxsize=256)
def may_wait(source: str) -> bool:
    """Whether the code could leave anything to be done after it returned."""
    return _MAY_WAIT.search(source) is not None


def _input(source: str) -> str:
    members = set(_MEMBER.findall(source))
    # Mentioned without a member that we know: it could be asked for any.
    wanted = members if members <= _MEMBERS.keys() else _MEMBERS.keys()
    return "{ " + ", ".join(_MEMBERS[name] for name in sorted(wanted)) + " }"


@cache
def _core() -> str:
    lines = (line.strip() for line in part_source("core").splitlines())
    return "\n".join(line for line in lines if not line.startswith("//"))


@cache
def part_source(name: str) -> str:
    """The source of a prelude part; names come from our own prelude, never from a path."""
    assert name.isidentifier()
    return (_PRELUDE / f"{name}.js").read_text()
