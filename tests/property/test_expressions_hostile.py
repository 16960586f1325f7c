"""For all expressions: a value or an `ExpressionError`, within the budget, and data unharmed."""

import contextlib
import copy
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.workflow.expressions import ExpressionError, compile_value, to_json
from tests.unit.expressions.scopes import make_scope

DATA: dict[str, Any] = {
    "a": {"b": [1, 2.5, None, "x", {"c": True}]},
    "s": "Ana 😀 María <b>2024-05-17</b>",
    "n": 12,
    "when": "2024-05-17T09:08:07.000Z",
}

_ATOMS = st.sampled_from(
    """1|0|-1.5|1e300|NaN|null|undefined|true|''|'a'|'é😀'|[]|{}|[1,2]|({a:1})|$json|$json.a.b
|$json.s|$json.n|$json.when|$now|$today|$input.all()|$('Start').item|$('Nope')|/a+/g|x=>x
|(a,b)=>a-b|Date|Object|Math|String|Array|new Date()|$json.zzz|$items()|$node|10n|this
|Symbol('s')|DateTime.fromISO('x')|new Map([[1,2]])|new Set([1])""".replace("\n", "").split("|")
)
_NAMES = st.sampled_from(
    """length map filter sort reverse join split slice splice push pop concat repeat padStart
replace replaceAll match matchAll test exec toString valueOf toFixed format plus minus diff toISO
set startOf keys values entries merge compact pluck unique chunk sum first last hash toDateTime
toNumber isEmpty json item all constructor __proto__ prototype flat reduce find includes at fill
toLocaleString toFormat setZone extract removeMarkdown urlEncode isEmail call apply bind
copyWithin __defineGetter__ then caller hasOwnProperty normalize fromISO assign from""".split()  # noqa: SIM905
)
_OPERATORS = st.sampled_from(
    """+ - * / % ** == === != < > <= >= && || ?? & | ^ << >> >>> in instanceof ,""".split()  # noqa: SIM905
)


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arguments = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        st.tuples(inner, _NAMES).map(lambda p: f"({p[0]}).{p[1]}"),
        st.tuples(inner, _NAMES, arguments).map(lambda p: f"({p[0]}).{p[1]}({p[2]})"),
        st.tuples(inner, _NAMES, arguments).map(lambda p: f"({p[0]})?.{p[1]}?.({p[2]})"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]})[{p[1]}]"),
        st.tuples(inner, _OPERATORS, inner).map(lambda p: f"({p[0]}) {p[1]} ({p[2]})"),
        st.tuples(inner, inner, inner).map(lambda p: f"({p[0]}) ? ({p[1]}) : ({p[2]})"),
        inner.map(lambda e: f"`${{{e}}}`"),
        inner.map(lambda e: f"[...({e}), {e}]"),
        inner.map(lambda e: f"({{...({e}), k: {e}}})"),
        inner.map(
            lambda e: f"(() => {{ let x = {e}; for (const i of x) {{ x = i }}; return x }})()"
        ),
        inner.map(lambda e: f"new Date({e})"),
        inner.map(lambda e: f"typeof ({e})"),
    )


EXPRESSIONS = st.recursive(_ATOMS, _grow, max_leaves=12)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(EXPRESSIONS)
def test_any_expression_gives_a_value_or_an_expression_error(code: str) -> None:
    scope = make_scope(copy.deepcopy(DATA))
    before = copy.deepcopy(scope.inputs)

    for text in (f"={{{{ {code} }}}}", f"=a{{{{ {code} }}}}b"):
        try:
            value = compile_value(text).resolver(scope, 0)
            json.dumps(to_json(value), ensure_ascii=False).encode()
        except ExpressionError:
            pass

    assert scope.inputs == before


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="{}()[]$'\"`\\/.=>?:;,+-abj son\n😀", max_size=40))
def test_any_text_compiles_or_is_told_to_be_no_expression(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        compile_value("=" + text).resolver(make_scope(DATA), 0)
