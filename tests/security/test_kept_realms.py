"""A realm that is kept for a program keeps nothing of its runs.

The engine runs in this process: what is tested is what one run leaves for the next, not where.
"""

import json
from typing import Any

import pytest

from penstock.nodes.code import Code
from penstock.sandbox_host import kept_realms
from penstock.sandbox_host.engines import Engines
from penstock.sandbox_host.javascript import JavaScript
from penstock.sandbox_host.kept_realms import KeptRealms
from penstock.sandbox_host.realm import Realm
from penstock.sandbox_host.tame import is_tame
from penstock.sdk import testkit, user_code
from penstock.sdk.call import Call

WALK = """
(() => {
  // Everything that user code could get hold of: by names, by syntax, and as what functions give
  // when they are called on all kinds of things.
  function walk(given) {
    const met = new Set([globalThis]);
    const meet = (value) => { if (Object(value) === value) met.add(value) };
    const attempt = (call) => { try { meet(call()) } catch (error) { meet(error) } };
    // Notes whatever is handed to it, be it as an argument of a call-back.
    const spy = new Proxy(() => {}, {
      get: (target, key) => Object.hasOwn(target, key) ? target[key]
        : key === Symbol.toPrimitive ? () => "not a function"
        : key === Symbol.iterator ? function* () {} : spy,
      apply: (_, self, given) => { given.forEach(meet); return spy },
    });
    const things = () => [
      spy, undefined, 1, "text", [1, [2]], {a: 1}, (one) => one, new Map([[1, 2]]), new Set([1]),
      /a/g, new Date(0), new Error("no"), new Uint8Array(2), new ArrayBuffer(2), [1].values(),
      (function* () { yield 1 })(), new Proxy({}, {}), Symbol("s"), 1n, Object(1),
      Promise.resolve(1),
    ];
    [function* () {}, async () => {}, async function* () {}, class { static #a = 1 }, things(),
     (function () { "use strict"; return arguments })(), (function () { return arguments })(),
     ...given, ((strings) => strings)`a${1}b`, (async function* () {})(), (async () => {})(),
    ].forEach(meet);
    const called = new Set();
    for (const object of met) {
      meet(Object.getPrototypeOf(object));
      for (const key of Reflect.ownKeys(object)) {
        const {value, get, set} = Object.getOwnPropertyDescriptor(object, key);
        [value, get, set].forEach(meet);
      }
      if (typeof object !== "function" || called.size > 3000 || !Object.isFrozen(object)) continue;
      if (object === Atomics.wait || object === Atomics.pause || called.has(object)) continue;
      called.add(object);
      for (const thing of things()) {
        attempt(() => Reflect.apply(object, thing, []));
        attempt(() => Reflect.apply(object, undefined, [thing]));
      }
      attempt(() => Reflect.apply(object, [1], [(one) => one, 1]));
      attempt(() => Reflect.apply(object, undefined, [new TypeError("not a function"), spy]));
      attempt(() => Reflect.construct(object, [[1]]));
    }
    return [met, called.size];
  }
  const [first, second] = globalThis.runs;
  delete globalThis.runs;
  const [before] = walk(first);
  const [after, called] = walk(second);
  const kept = [...after].filter((one) => before.has(one) && one !== globalThis);
  // Things that change without any of their properties changing.
  const inner = [Map.prototype.has, Set.prototype.has, WeakMap.prototype.has, WeakSet.prototype.has,
    Date.prototype.getTime, RegExp.prototype.compile, [].values().next, new Map().keys().next,
    (function* () {})().next, DisposableStack.prototype.move, DataView.prototype.getInt8,
    Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength").get,
    Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Int8Array.prototype), "byteLength").get];
  const changes = (one) => !Object.isFrozen(one) || inner.some((method) => {
    try { return Reflect.apply(method, one, []) !== 0 } catch { return false }
  });
  // Setters of the engine's own could keep a value where no walk finds it. Ours are written out.
  const setters = kept.flatMap((one) => Reflect.ownKeys(one).filter((key) => {
    const set = Object.getOwnPropertyDescriptor(one, key).set;
    return set && Function.prototype.toString.call(set).includes("[native code]");
  }).map(String));
  const told = (one) => `${typeof one} ${one.name} ${Reflect.ownKeys(one).map(String)}`;
  const changing = kept.filter(changes).map(told);
  return JSON.stringify({called, setters, kept: kept.length, changing});
})()
"""


STACK = (
    "Error.prepareStackTrace(Object.assign(TypeError(), {{ message: 'not a function' }}), "
    "Object.assign([], {{ find(one) {{ {} }} }}))"
)
"""Has our own code hand out a function of its own, if it can be brought to."""

SETTERS = {"__proto__", "stack", "constructor", "Symbol(Symbol.toStringTag)", "caller", "arguments"}
"""They change the object they are called on and nothing else; the last two refuse."""


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> KeptRealms:
    """Keeps realms from the first run on, and takes every program for a tame one."""
    kept = KeptRealms(runs_before=0)
    monkeypatch.setattr(user_code, "_engine", Engines(JavaScript(kept)))
    monkeypatch.setattr(kept_realms, "is_tame", lambda source, mode: True)
    monkeypatch.setattr(kept_realms, "names_built_ins", lambda text: False)
    return kept


def run(code: str, **json: Any) -> Any:
    """The first item's json, or the message of the error."""
    outcome = testkit.run(Code, {"jsCode": code}, [json])
    return outcome.error.message if outcome.error else testkit.jsons(outcome)[0][0]


def test_nothing_that_two_runs_can_both_reach_can_be_changed() -> None:
    # Notes what it is given itself, and mentions every name that tame programs may.
    code = "(globalThis.runs ??= []).push([this, $input, items, arguments, arguments.callee]);" + (
        "return [{json: {a: JSON, b: Date, c: console, d: BigInt, e: $, f: $items}}]"
    )
    call = Call(testkit.scope_of(Code, {"jsCode": code}))
    realm = Realm(call, "all", code)
    assert realm.define(code, is_async=False, is_kept=True) is None
    realm.evaluate(0)
    realm.take(call)
    realm.evaluate(0)

    found = json.loads(realm.script(WALK))

    assert found["changing"] == []
    assert set(found["setters"]) == SETTERS
    assert found["called"] > 1000
    assert found["kept"] > 1000


@pytest.mark.parametrize(
    ("write", "read"),
    [
        ("kept = 1", "typeof kept"),
        ("globalThis.kept = 1", "typeof kept"),
        ("globalThis[Symbol.for('kept')] = 1", "typeof globalThis[Symbol.for('kept')]"),
        ("Object.setPrototypeOf(globalThis, {kept: 1})", "typeof kept"),
        ("Object.preventExtensions(globalThis)", "Object.isExtensible(globalThis)"),
        ("Object.defineProperty(globalThis, 'Map', {value: 1})", "typeof Map"),
        ("Math = {kept: 1}", "Math.kept"),
        ("delete globalThis.Map", "typeof Map"),
        ("(0, eval)('var kept = 1; let other = 2')", "typeof kept + typeof other"),
        ("Function('kept = 1')()", "typeof kept"),
        ("Array.prototype.kept = 1", "[].kept"),
        ("Array.prototype.map = () => 'kept'", "[1].map((one) => one)[0]"),
        ("[].__proto__.push('kept')", "[].__proto__.length"),
        ("({}).__proto__.kept = 1", "({}).kept"),
        ("({}).constructor.kept = 1", "Object.kept"),
        ("[].map.kept = 1", "[].map.kept"),
        ("Object.defineProperty(Object.prototype, 'kept', {value: 1})", "({}).kept"),
        ("Object.setPrototypeOf(Array.prototype, {kept: 1})", "[].kept"),
        ("(function* () {})().__proto__.__proto__.kept = 1", "(function* () {})().kept"),
        ("(async () => {}).__proto__.kept = 1", "(async () => {}).kept"),
        ("Error.prepareStackTrace = () => 'kept'", "new Error('').stack === 'kept'"),
        ("Error.stackTraceLimit = 0", "Error.stackTraceLimit"),
        (STACK.format("one.kept = 1"), f"(() => {{ let kept; {STACK.format('kept = one.kept')}; "
         "return kept })()"),
        ("JSON.kept = 1; console.kept = 1", "JSON.kept || console.kept"),
        ("JSON.parse = () => 'kept'", "JSON.parse('1')"),
        ("Date.now = () => 'kept'", "Date.now() === 'kept'"),
        ("JSON; this.kept = 1", "this.kept"),
        ("JSON; this.helpers.kept = 1", "this.helpers?.kept"),
        ("$input.first = () => ({kept: 1})", "$input.first().kept"),
        ("arguments.callee.kept = 1", "arguments.callee.kept"),
        ("(function tag(strings) { return strings })`a`.raw.kept = 1", "({}).kept"),
        ("Object.groupBy([1], () => '__proto__').__proto__.kept = 1", "({}).kept"),
        ("Promise.resolve().then(() => { globalThis.kept = 1 })", "typeof kept"),
        ("items[0].json.kept = 1", "items[0].json.kept"),
        ("$.kept = 1; $items.kept = 1", "$.kept || $items.kept"),
        ("$('Source').kept = 1", "$('Source').kept"),
        ("$('Source').first().json.kept = 1", "$('Source').first().json.kept"),
        ("/a/g.test('a'); RegExp.prototype.compile?.call(/a/, 'b')", "/a/g.lastIndex"),
    ],
)  # fmt: skip
def test_what_one_run_writes_the_next_does_not_find(
    engine: KeptRealms, write: str, read: str
) -> None:
    code = f"if ($json.writes) {{ {write} }}\nreturn {{found: {read}}}"
    untouched = run(code)

    for _ in range(3):
        run(code, writes=True)

        assert run(code) == untouched


@pytest.mark.parametrize(
    "code",
    [
        # Each fits between the brackets around a program, and keeps `n` where runs would share it.
        "return {n: 0} })); let n = 0; (() => (function(){ return {n: ++n}",
        "return {n: 0} })), ((n) => (() => (function(){ return {n: ++n} })))(0, (function(){",
        "return {n: 0} } / '[' )); let n = 0; (() => (function(){ return {n: ++n}; ']'/1",
    ],
)
def test_a_text_that_closes_brackets_not_its_own_is_never_kept(
    engine: KeptRealms, code: str
) -> None:
    answers = [run(code) for _ in range(3)]

    assert answers == [{"n": 1}] * 3
    assert engine.realms == 0


def test_a_realm_in_which_nothing_was_left_is_kept(engine: KeptRealms) -> None:
    assert [run("return {n: $json.n + 1}", n=n) for n in range(3)] == [{"n": n} for n in (1, 2, 3)]

    assert engine.realms == 1


def test_lines_that_come_too_late_for_their_run_are_not_the_next_ones(engine: KeptRealms) -> None:
    code = (
        "console.log($json.n); const toJSON = () => (console.log('late'), {n: $json.n});"
        "return {n: {toJSON}}"
    )

    outcomes = [testkit.run(Code, {"jsCode": code}, [{"n": n}]) for n in range(3)]

    assert [outcome.logs for outcome in outcomes] == [["0"], ["1"], ["2"]]
    assert engine.realms == 1


def test_no_more_realms_are_kept_than_allowed(engine: KeptRealms) -> None:
    for _ in range(2):
        for n in range(2 * kept_realms.REALMS_MAX):
            assert run(f"return {{n: {n}}}") == {"n": n}

    assert engine.realms == kept_realms.REALMS_MAX


def test_other_nodes_items_are_those_of_the_run(engine: KeptRealms) -> None:
    code = "return {n: $('Source').first().json.n, m: $items('Source')[0].json.n}"

    assert [run(code, n=n) for n in range(3)] == [{"n": n, "m": n} for n in range(3)]
    assert engine.realms == 1


def test_a_run_that_fails_is_told_by_a_fresh_realm_and_its_lines_once(engine: KeptRealms) -> None:
    code = "console.log('once'); if ($json.bad) null.x; return {}"
    run(code)

    outcome = testkit.run(Code, {"jsCode": code, "onError": "continue"}, [{"bad": True}])

    assert outcome.error is not None
    assert outcome.error.message == "Cannot read properties of null (reading 'x') [line 1]"


def test_names_that_built_ins_have_too_can_be_assigned(engine: KeptRealms) -> None:
    code = (
        "const o = {}, a = []; for (const k of $json.keys) { o[k] = 1; a[k] = 2 }"
        "const e = new Error('x'); e.name = 'Mine'; e.message = 'y';"
        "return {o: Object.entries(o), a: Object.entries(a), e: String(e)}"
    )
    keys = ["toString", "valueOf", "map", "at", "hasOwnProperty", "constructor"]

    answers = [run(code, keys=keys) for _ in range(3)]

    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["o"] == [[key, 1] for key in keys]
    assert answers[0]["a"] == [[key, 2] for key in keys]
    assert answers[0]["e"] == "Mine: y"
    assert engine.realms == 1


@pytest.mark.parametrize(
    "code",
    [
        "Array.prototype.sum = 1", "Math.kept = 1", "JSON . parse = 1", "Object.assign(Math, {})",
        "Date = 1", "Object['x'] = 1", "delete Array.from", "Number.count++", "Reflect.ownKeys({})",
        "Object.freeze({})", "Object.isFrozen([])", "await 1", "setTimeout(() => {})", "this.x",
        "$node.Other.json", "$execution.id", "$ = 1", "$.x = 1", "$now", "eval(1)",
        "new Function()", "[][Symbol.iterator]", "x.__proto__", "(1).toLocaleString()",
        "new WeakMap()", "performance.now()",
    ],
)  # fmt: skip
def test_code_that_could_tell_the_difference_is_not_tame(code: str) -> None:
    assert not is_tame(code, "all")


@pytest.mark.parametrize(
    "code",
    [
        "return $input.all().map((one) => ({json: {n: one.json.n * 2}}))",
        "const by = {}; for (const i of items) (by[i.json.k] ||= []).push(i); return [by]",
        "return {s: JSON.stringify($json), d: new Date().toISOString(), m: Math.max(1, 2) == 2}",
        "// properties, symbols and what then waits\nreturn {p: $('Other').item.json.p}",
        "function add(a) { return a + 1 }; try { add(1) } catch (e) {} const myArray = []",
        "console.log('a'); const f = (n) => n < 2 ? n : f(n - 1) + f(n - 2); return {f: f(9)}",
    ],
)
def test_code_as_most_people_write_it_is_tame(code: str) -> None:
    assert is_tame(code, "all")
