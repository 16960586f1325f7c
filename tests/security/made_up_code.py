"""Programs made up at random: they assign, inherit names, fail, log and close over things.

They are valid JavaScript, mean nothing, and take names of built-ins for the names of properties.
"""

import re
from random import Random

_NAMES = ("a", "b", "o", "x", "f")
_KEYS = [
    *(
        "toString",
        "valueOf",
        "map",
        "at",
        "length",
        "name",
        "n",
        "hasOwnProperty",
        "message",
        "join",
    ),
    *("next", "size", "get", "push", "values", "call", "cause", "stack", "concat", "includes"),
    *("flat", "index", "entries", "raw", "lastIndex", "toJSON"),
]
_DEEP = 4
_WORD = re.compile(r"\b(?:NAME|KEY|E|S)\b")

_EXPRESSIONS = """
NAME | 'KEY' | 7 | null | undefined | [E, E] | ({KEY: E, [E]: E}) | (E).KEY | (E)?.[E] | (E + E)
(E || E) | `t${E}` | ((x, y = E) => E)(E) | [E, E].map((x) => E) | [E].flatMap((x) => E) | typeof E
Object.keys(E) | Object.entries(E) | Object.assign(E, E) | Object.fromEntries([[E, E]])
Object.getOwnPropertyNames(E) | JSON.stringify(E) | JSON.parse(E) | String(E) | Math.max(E, E)
new Map([[E, E]]) | new Set([E]) | new Error(E) | new TypeError(E) | new Uint8Array(E) | new Date(0)
(function* () { yield E; return E })() | [...E] | ({...E}) | (E instanceof Array) | /a/g.exec(E)
/(s)/y.test(E) | ((s, ...v) => s)`q${E}` | (class { static k = E; #p = 1; m() { return E } })
(E).KEY(E) | $input.all() | $input.first() | $json | $('Source').first()
({get KEY() { return E }}) | ({toJSON() { console.log(E); return E }})
""".replace("\n", " | ").split(" | ")[1:-1]

_STATEMENTS = """
NAME = E; | (NAME ?? {}).KEY = E; | (E).KEY = E; | if (E) { S } else { S } | console.log(E);
for (const k of [E, E]) { S } | for (const k in E) { x = k } | l: { S break l; } | var v = E;
try { S } catch (e) { x = [e.name, e.message, e.stack]; S } finally { S } | [a, b = E] = [E];
function f1(q) { S return E } | ({n: o, ...x} = E ?? {}); | left = E; | delete (E).KEY; | f.KEY = E;
if ($json.n === 2) { S } | (E)[E] ||= E; | if ($json.n === 2) throw E;
""".replace("\n", " | ").split(" | ")[1:-1]


def program(source: Random) -> str:
    """One program for all items; it shows what has become of its variables."""
    tries = "\n".join(
        f"try {{ {_statement(source, 0)} }} catch (e) {{ x = e.message + e.stack }}"
        for _ in range(source.randint(2, 7))
    )
    return (
        f"let a = [1, 2], b = 's', o = {{n: 1}}, x, f = () => 1;\n{tries}\n"
        "return [{json: {a, b, o, x, f: typeof f}}]"
    )


def _statement(source: Random, depth: int) -> str:
    if depth > _DEEP // 2:
        return f"x = {_expression(source, depth)};"
    return _filled(source, source.choice(_STATEMENTS), depth)


def _expression(source: Random, depth: int) -> str:
    simple = _EXPRESSIONS[:5] if depth > _DEEP else _EXPRESSIONS
    return _filled(source, source.choice(simple), depth)


def _filled(source: Random, text: str, depth: int) -> str:
    """The text with a new choice for each word in capitals."""
    choices = {
        "NAME": lambda: source.choice(_NAMES),
        "KEY": lambda: source.choice(_KEYS),
        "E": lambda: _expression(source, depth + 1),
        "S": lambda: _statement(source, depth + 1),
    }
    return _WORD.sub(lambda found: choices[found[0]](), text)
