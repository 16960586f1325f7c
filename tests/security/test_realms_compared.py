"""What a kept realm answers is what fresh ones answer, run after run.

Programs that try to leave something behind, programs that could tell one kind of realm from the
other, and programs made up at random each run in a realm that is kept, and in fresh ones. Those
made up are the same in every test run; PENSTOCK_SEED=7 (or any other number) makes up others.
"""

import os
import random
from typing import Any

import pytest

from penstock.nodes.code import Code
from penstock.sandbox_host import kept_realms
from penstock.sandbox_host.engines import Engines
from penstock.sandbox_host.javascript import JavaScript
from penstock.sandbox_host.kept_realms import KeptRealms
from penstock.sandbox_host.tame import is_tame
from penstock.sdk import testkit, user_code
from tests.security.made_up_code import program

_RUNS = (1, 2, 1, 1)
_NEVER = 1_000


def answers(code: str, patch: pytest.MonkeyPatch, *, runs_before: int, mode: str = "") -> list[Any]:
    """What each run of `code` puts out, says of its error and writes to its log."""
    patch.setattr(user_code, "_engine", Engines(JavaScript(KeptRealms(runs_before))))
    parameters = {"jsCode": code, **({"mode": mode} if mode else {})}
    outcomes = [testkit.run(Code, parameters, [{"n": n}, {"n": 5}]) for n in _RUNS]
    return [(one.outputs, one.error and one.error.message, one.logs) for one in outcomes]


@pytest.mark.parametrize(
    "code",
    [
        # Private names can mark what is not ours to change.
        "class Own { constructor(o) { return o } } class Mark extends Own {"
        " #kept = 1; static has(o) { return #kept in o } } const was = Mark.has([].map);"
        "try { new Mark([].map) } catch {} return {was}",
        # Functions made from text, reached without naming what makes them.
        "const world = (() => 1)['con\\x73tructor']('return this')();"
        "world.kept = (world.kept || 0) + 1; return {kept: world.kept}",
        "const world = (() => 1)['\\143onstructor']('return this')();"
        "world['ev' + 'al']('var a = 1; let b = 1; function c() {}');"
        "return {kept: world['ev' + 'al']('typeof a + typeof b + typeof c')}",
        "const world = (() => 1)['con' + 'structor']('return this')();"
        "world['Prom' + 'ise'].resolve().then(() => { world.late = 1 });"
        "return {kept: typeof world.late}",
        # What is written while the result is turned into text.
        "return {n: {toJSON() { kept = typeof kept; return kept }}}",
        "return {n: {toJSON() { const {json} = $input.first(); json.kept = (json.kept || 0) + 1;"
        "return json.kept }}}",
        "return {get n() { console.log('late', $json.n); return typeof kept }}",
        "return {n: {toJSON() { Promise.resolve().then(() => { globalThis.kept = 1 });"
        "return typeof kept }}}",
        # Runs that end badly.
        "if ($json.n === 2) { kept = 1; throw new Error('no') } return {kept: typeof kept}",
        "if ($json.n === 2) { try { (function f() { f() + 1 })() } catch { kept = 1 } }"
        "return {kept: typeof kept}",
        "if ($json.n === 2) { const a = []; try { for (;;) a.push('x'.repeat(9e6)) } catch {} }"
        "return {n: 1}",
        # What is left to be done afterwards.
        "(async () => { await 0; await 0; globalThis.kept = 1 })(); return {kept: typeof kept}",
        "import('os').then(null, () => { globalThis.kept = 1 }); return {kept: typeof kept}",
        # Things that live in the engine and not in any property.
        "/(a)/.exec('a'); return {kept: [RegExp.$1, RegExp.lastMatch, RegExp.input]}",
        "const seen = new WeakMap(), tag = (strings) => strings, one = tag`a${1}`;"
        "const kept = seen.has(one); seen.set(one, 1); return {kept}",
        "arguments.callee.kept = (arguments.callee.kept || 0) + 1;"
        "return {kept: arguments.callee.kept}",
        "const named = function own() { return own.n = (own.n || 0) + 1 }; return {kept: named()}",
        "globalThis.a = 1; delete globalThis.a; with (globalThis) { kept = 1 } return {kept}",
        "toString = 5; return {kept: typeof toString}",
        # A text that puts more into its brackets than a function's body.
        "return {n: 0} }, n = (typeof n) + 1, function () { return {n}",
    ],
)  # fmt: skip
def test_no_run_finds_what_one_before_it_did(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_realms, "is_tame", lambda source, mode: True)
    fresh = answers(code, monkeypatch, runs_before=_NEVER)

    assert answers(code, monkeypatch, runs_before=0) == fresh


@pytest.mark.parametrize(
    "code",
    [
        "const c = console, out = []; c.log = (n) => out.push(n); console.log('a'); return {out}",
        "const c = console\nc.warn = c.log = () => {}; console.log('a'); return {}",
        "const kinds = {String, Number}; kinds.String.label = 'text'; return {n: String.label}",
        "[Array, Map].forEach((one) => { one.label = 'x' }); return {n: Map.label}",
        "((m) => { m.max = () => 'mine' })(Math); return {n: Math.max(1)}",
        "const kind = $json.n ? Math : null; kind.max = () => 'mine'; return {n: Math.max(1)}",
        "class List extends Array {} List.of = () => 'mine'; return {n: String(List.of(1))}",
        "const own = Object.create(Math); own.max = () => 'mine'; return {n: own.max(1)}",
        "'use strict'; try { 'a'.at = 1; return {n: 1} } catch (e) { return {n: e.name} }",
        "return {n: performance.now() < 0}",
        "return {get n() { console.log('late'); return $json.n }}",
        "const e = new RangeError('a'), keys = Object.keys(e); e.name = 'b'; e.stack = 'c';"
        "return {keys, e: {...e}, text: String(e)}",
        "try { $json.nope() } catch (e) { return {m: e.message, s: e.stack} }",
        "try { [1].map(() => { throw new TypeError('a') }) } catch (e) { return {s: e.stack} }",
        "let n = 0; const f = () => { n++; f() }; try { f() } catch (e) { return {m: e.message} }",
        "return {a: Object.getOwnPropertyNames(Math), b: Object.keys({...console}), c: `${[].at}`}",
        "function f() {} f.call = 1; f.bind = 2; f.toString = () => 'f'; return {n: f.call + f}",
        "with ({a: 1}) { return {a, c: typeof arguments} }",
        "<!-- a comment\nlet a = 1\n--> another\nreturn {a}",
        "for (const key in []) throw key; for (const key in {}) throw key; return {}",
        "return {a: -0, b: NaN, c: 2 ** 53, d: [,], e: undefined, f: () => 1, g: new Map()}",
        "const it = [1, 2].values(); it.next = () => ({done: true}); return {n: [...it].length}",
        "return [{json: $json}, {json: console}, {json: {m: Math}}]",
        "return 5", "return [[1]]", "throw {toString: () => 'odd'}", "null.x", "return [1n]",
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["", "runOnceForEachItem"])
def test_code_gets_from_a_kept_realm_what_fresh_ones_give(
    code: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = answers(code, monkeypatch, runs_before=_NEVER, mode=mode)

    assert answers(code, monkeypatch, runs_before=0, mode=mode) == fresh


def test_programs_made_up_at_random_end_alike_in_both_kinds_of_realm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seed = int(os.environ.get("PENSTOCK_SEED", "42"))
    print(f"PENSTOCK_SEED={seed}")
    source = random.Random(seed)
    codes = [code for code in (program(source) for _ in range(60)) if is_tame(code, "all")]

    for code in codes:
        fresh = answers(code, monkeypatch, runs_before=_NEVER)

        assert answers(code, monkeypatch, runs_before=0) == fresh, code
    assert len(codes) > 30
