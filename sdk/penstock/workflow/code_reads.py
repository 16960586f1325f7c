"""Which earlier nodes a piece of user code looks at, found by reading its text.

A step carries the earlier runs that its node may look at; with all of them in every step, a loop
of a thousand rounds would send a thousand times what it has done so far. Code refers to a node as
`$('Name')`, `$node["Name"]`, `$node.Name` or `$items('Name')` (`_(…)`, `_node` in Python). Where
every such place gives its name as a literal, only those nodes are needed. Anything else, such as
a name that is computed or `$` handed on as a value, means: all of them.
"""

import re

_QUOTED = r"""(?P<{q}>['"`])(?P<{n}>[^'"`\\$]*)(?P={q})"""
_ANYWHERE = re.compile(r"\$\(|\$node\b|\$items\b|\$(?![\w({])|\b_\(|\b_node\b")
_CALLED = re.compile(r"(?:\$|_)\(\s*" + _QUOTED.format(q="q1", n="called") + r"\s*\)")
_INDEXED = re.compile(r"(?:\$|_)node\s*\[\s*" + _QUOTED.format(q="q2", n="indexed") + r"\s*\]")
_DOTTED = re.compile(r"(?:\$|_)node\.(?P<dotted>\w+)")
_ITEMS = re.compile(r"\$items\(\s*" + _QUOTED.format(q="q3", n="items") + r"\s*[,)]")
_OWN_ITEMS = re.compile(r"\$items\(\s*\)")
_LINEAGE = re.compile(r"\.item\b|itemMatching|pairedItem|getPairedItem")


def reads_of_code(text: str) -> frozenset[str] | None:
    """The names of the nodes that `text` looks at; `None` when that shows only at run time."""
    names: set[str] = set()
    for place in _ANYWHERE.finditer(text):
        if _OWN_ITEMS.match(text, place.start()):
            continue
        for form in (_CALLED, _INDEXED, _DOTTED, _ITEMS):
            found = form.match(text, place.start())
            if found is not None:
                names.add(found.group(found.lastgroup or 0))
                break
        else:
            return None
    return frozenset(names)


def follows_lineage(text: str) -> bool:
    """Whether `text` may follow items back to where they came from."""
    return _LINEAGE.search(text) is not None
