"""Tame programs: those that cannot tell a hardened realm from a fresh one.

A program is judged by the words in its text, and by more of them than would be needed: what is not
tame only costs more. It changes no built-in and asks nothing about any, waits for nothing, and
knows no name but its input and those whose answers do not depend on the step.
"""

import re
from functools import lru_cache

from penstock.sandbox_host.names import names_of
from penstock.sandbox_host.realm_source import may_wait

_NAMES = frozenset({"JSON", "Date", "BigInt", "console", "$", "$items"})
"""Names from the prelude that tame programs may use; `Date` where the step's clock is not set.
What they keep for a run they forget with the next one."""

_WILD = re.compile(
    r"\b(?:prototype|__\w+__|define(?:Property|Properties)|getOwnPropertyDescriptors?|isFrozen|freeze"
    r"|isSealed|seal|isExtensible|preventExtensions|(?:get|set)PrototypeOf|Reflect|Proxy|Symbol|Weak\w+"
    r"|FinalizationRegistry|captureStackTrace|prepareStackTrace|stackTraceLimit|toLocale\w+"
    r"|performance|extends|use strict)\b|\bObject\s*\??\.\s*create\b(?!\s*\(\s*null\b)"
)
"""Words of programs that look at built-ins or change them, make objects that inherit from them, are
told of assignments that fail, or ask how old their realm is."""
_BUILT_IN = (
    r"(?:Object|Function|Array|String|Number|Boolean|BigInt|Math|JSON|Date|RegExp|Map|Set|Iterator"
    r"|\w*Error|(?:BigInt|BigUint|Int|Uint|Float)\w*Array|(?:Shared)?ArrayBuffer|DataView|Atomics"
    r"|\w*DisposableStack|DOMException|performance|console|parse(?:Int|Float)|is(?:NaN|Finite)|NaN"
    r"|Infinity|undefined|(?:de|en)codeURI\w*|(?:un)?escape|atob|btoa|\$|\$items)"
)
_CHANGE = re.compile(
    rf"(?<![.\w$]){_BUILT_IN}(?![\w$])\s*(?:\.\s*\w+\s*|\[[^\]]*\]\s*)*(?:[-+*/%&|^?<>]*=(?![=>])|\+\+|--)"
    rf"|(?:assign\s*\(|\+\+|--|delete\b)\s*{_BUILT_IN}(?![\w$])"
)
"""Assignments to a built-in or to a property of one."""
_CALLED_BACK = (
    r"String|Number|Boolean|BigInt|Date|parse(?:Int|Float)|is(?:NaN|Finite)|(?:[A-Z]\w*)?Error"
)
_HELD = (
    r"Object|Function|(?:(?:Big)?U?[Ii]nt\d+(?:Clamped)?|Float\d+)?Array|Math|JSON|RegExp|Map|Set|Iterator|DataView"
    r"|(?:Shared)?ArrayBuffer|Atomics|DOMException|console"
)
_ENDS = r"(?![\w$])[ \t]*(?:[;,)\]}/&|]|\n(?!\s*[.\[])|$)"
_ALIAS = re.compile(
    rf"(?:[=:\[{{,?&|>]|\.\.\.|\b(?:return|of|yield))\s*(?:{_HELD}){_ENDS}|\(\s*(?:{_HELD})\s*[,)]"
    rf"|[=:\[{{?&|>]\s*(?:{_CALLED_BACK}){_ENDS}|\?\s*(?:{_HELD}|{_CALLED_BACK})\s*:"
)
"""Built-ins that get another name, under which `_CHANGE` would not know them. Functions that people
hand to `map` and its like are none."""


@lru_cache(maxsize=256)
def is_tame(source: str, mode: str) -> bool:
    """Whether every run of this program would end alike in a fresh realm and in a hardened one."""
    return not (
        may_wait(source)
        or _WILD.search(source)
        or _CHANGE.search(source)
        or _ALIAS.search(source)
        or any(name not in _NAMES for name, _ in names_of(source, mode).other)
    )


def names_built_ins(text: str) -> bool:
    """Whether data holds a word that, used as a key, leads from any object to the built-ins."""
    return "constructor" in text or "__proto__" in text or "prototype" in text
