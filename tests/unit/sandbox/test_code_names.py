"""What JavaScript and Python code find in a Code node, and how their errors read.

The engines run in this process: what is tested is what code sees, not where it runs.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from penstock.nodes.code import Code
from penstock.nodes.function import Function
from penstock.nodes.function_item import FunctionItem
from penstock.sandbox_host.engines import Engines
from penstock.sandbox_host.javascript import JavaScript
from penstock.sandbox_host.kept_realms import RUNS_BEFORE, KeptRealms
from penstock.sdk import testkit, user_code
from penstock.subjects.messages import Outcome


@pytest.fixture(autouse=True, params=["in a fresh realm", "in a realm that is kept"])
def engines(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    runs_before = 0 if "kept" in request.param else RUNS_BEFORE
    javascript = JavaScript(KeptRealms(runs_before))
    monkeypatch.setattr(user_code, "_engine", Engines(javascript))
    yield


ITEMS = [{"n": 1}, {"n": 2}]


def js(
    code: str, *, each: bool = False, items: list[dict[str, Any]] | None = None, **more: Any
) -> Outcome:
    mode = "runOnceForEachItem" if each else "runOnceForAllItems"
    return testkit.run(Code, {"jsCode": code, "mode": mode}, items or ITEMS, **more)


def py(code: str, *, each: bool = False, language: str = "pythonNative", **more: Any) -> Outcome:
    mode = "runOnceForEachItem" if each else "runOnceForAllItems"
    parameters = {"pythonCode": code, "mode": mode, "language": language}
    return testkit.run(Code, parameters, ITEMS, **more)


def error_of(outcome: Outcome) -> str:
    assert outcome.error is not None, outcome.outputs
    return outcome.error.message


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("return $input.all().map(i => ({json: {n: i.json.n * 2}}))", [{"n": 2}, {"n": 4}]),
        ("return [{a: 1}, {b: 2}]", [{"a": 1}, {"b": 2}]),
        ("return {a: 1}", [{"a": 1}]),
        ("return null", []),
        ("for (item of items) item.json.z = 1; return items", [{"n": 1, "z": 1}, {"n": 2, "z": 1}]),
        ("const items = [3]; return {n: items[0]}", [{"n": 3}]),
        ("return {n: $json.n, last: $input.last().json.n}", [{"n": 1, "last": 2}]),
        ("return {d: new Date(0), f() {}, nan: NaN, u: undefined, m: new Map()}",
         [{"d": "1970-01-01T00:00:00.000Z", "nan": None, "m": {}}]),
        ("await new Promise(r => setTimeout(r, 5)); return {late: true}", [{"late": True}]),
        ("return {text: 'a'.repeat(3000) + $json.n}", [{"text": "a" * 3000 + "1"}]),
    ],
)  # fmt: skip
def test_javascript_for_all_items(code: str, expected: list[dict[str, Any]]) -> None:
    assert testkit.jsons(js(code)) == [expected]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("return 'text'", "Code doesn't return items properly"),
        ("return [1]", "Code doesn't return items properly"),
        ("", "Code doesn't return items properly"),
        ("return [{json: 1}]", "A 'json' property isn't an object [item 0]"),
        ("return [{json: undefined}]", "A 'json' property isn't an object [item 0]"),
        ("return [{json: {}, odd: 1}]", "Unknown top-level item key: odd [item 0]"),
        ("throw new Error('plain')", "plain [line 1]"),
        ("throw new Error('Failed: because\\nmore')", "because [line 1]"),
        ("\n\nnull.x", "Cannot read properties of null (reading 'x') [line 3]"),
        ("const a = {};\na.b.c()", "Cannot read properties of undefined (reading 'c') [line 2]"),
        ("const a = {};\na.b()", "a.b is not a function [line 2]"),
        ("(items || []).slice(0).no()", "(items || []).slice(...).no is not a function [line 1]"),
        ("for (const x of $json) {}", "$json is not iterable [line 1]"),
        ("const a = 1; a = 2", "Assignment to constant variable. [line 1]"),
        ("missing", "missing is not defined [line 1]"),
        ("JSON.parse('Hello **World** and more')",
         "Unexpected token 'H', \"Hello **Wo\"... is not valid JSON [line 1]"),
        ("JSON.parse(\n'{')", "Expected property name or '}' in JSON at position 1 "
         "(line 1 column 2) [line 1]"),
        ("JSON.parse('')", "Unexpected end of JSON input [line 1]"),
        ("new Date(NaN).toISOString()", "Invalid time value [line 1]"),
        ("return $('Nowhere').first()", "Referenced node doesn't exist [line 1]"),
        ("return $env.HOME", "access to env vars denied [line 1]"),
        ("return require('fs')", "Module 'fs' is disallowed [line 1]"),
    ],
)  # fmt: skip
def test_errors_of_javascript_read_as_people_know_them(code: str, message: str) -> None:
    assert error_of(js(code)) == message


def test_each_mode_pairs_items_and_drops_null() -> None:
    outcome = js("return $json.n === 1 ? null : {n: $itemIndex}", each=True)

    assert outcome.outputs == [[{"json": {"n": 1}, "pairedItem": {"item": 1}}]]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("return [{}]", "Code doesn't return a single object [item 0]"),
        ("return", "Code doesn't return an object [item 0]"),
        ("throw new Error('bad')", "bad [line 1, for item 0]"),
    ],
)
def test_errors_in_each_mode_name_the_item(code: str, message: str) -> None:
    assert error_of(js(code, each=True)) == message


def test_a_failed_item_is_shown_when_the_flow_goes_on() -> None:
    outcome = testkit.run(
        Code,
        {"jsCode": "throw new Error('bad ' + $json.n)", "mode": "runOnceForEachItem"},
        ITEMS,
        onError="continueRegularOutput",
    )

    shown = ["bad 1 [line 1, for item 0]", "bad 2 [line 1, for item 1]"]
    assert testkit.jsons(outcome) == [[{"error": text} for text in shown]]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("Buffer.from('héllo').toString('base64')", "aMOpbGxv"),
        ("Buffer.from('aMOpbGxv', 'base64').toString()", "héllo"),
        ("atob(btoa('x'))", "x"),
        ("new TextDecoder().decode(new TextEncoder().encode('ü'))", "ü"),
        ("new URL('../x?a=1#h', 'https://ex.com:443/a/b/c').href", "https://ex.com/a/x?a=1#h"),
        ("new URL('https://u:p@ex.com/?q=a b').searchParams.get('q')", "a b"),
        ("new URLSearchParams({a: '1 2', b: 'é'}).toString()", "a=1+2&b=%C3%A9"),
        ("require('crypto').createHash('sha1').update('a').digest('hex').slice(0, 8)", "86f7e437"),
        ("require('crypto').createHmac('md5', 'k').update('a').digest('base64').length", 24),
        ("structuredClone({a: [1]}).a[0]", 1),
        ("DateTime.fromISO('2024-01-31').plus({months: 1}).toISODate()", "2024-02-29"),
        ("$now.toMillis()", testkit.NOW_MS),
        ("$today.hour", 0),
        ("Duration.fromObject({hours: 1}).as('minutes')", 60),
        ("new Date().toISOString().slice(0, 16)", "2025-03-15T14:30"),
        ("(1234.5).toLocaleString('en-US')", "1,234.5"),
        ("new Intl.NumberFormat('de-DE').format(1234.5)", "1.234,5"),
        ("$jmespath({a: [1, 2]}, 'a[1]')", 2),
        ("$ifEmpty('', 3)", 3),
        ("$workflow.active", False),
        ("$execution.id.length > 0", True),
        ("typeof process", "undefined"),
    ],
)  # fmt: skip
def test_names_beside_the_input(code: str, expected: Any) -> None:
    outcome = js(f"return {{value: {code}}}", items=[{}])

    assert testkit.jsons(outcome) == [[{"value": expected}]]


def test_console_output_becomes_the_steps_log() -> None:
    outcome = js("console.log('a', {b: 1}); console.error(new Error('c')); return []")

    assert outcome.logs == ['a {"b":1}', "Error: c"]


def test_a_step_that_fails_keeps_what_its_code_logged_before() -> None:
    thrown = js("console.log('a'); throw new Error('no')")
    each = js("console.log($json.n); if ($json.n === 2) null.x; return $json", each=True)
    bad_result = js("console.log('a'); return 5")
    raised = py("print('a')\nraise ValueError('no')")

    assert [bool(one.error) for one in (thrown, each, bad_result, raised)] == [True] * 4
    assert [one.logs for one in (thrown, each, bad_result, raised)] == [
        ["a"], ["1", "2"], ["a"], ["a"],
    ]  # fmt: skip


def test_a_long_log_leaves_the_failure_small_enough_to_be_told() -> None:
    code = (
        "for (let n = 0; n < 1000; n++) console.log(($json.n + '-').padEnd(4000, n));"
        "if ($json.n === 12) throw new Error('no'); return $json"
    )

    outcome = js(code, items=[{"n": n} for n in range(1, 14)], each=True)

    assert outcome.error is not None
    assert outcome.error.message == "no [line 1, for item 11]"
    assert outcome.logs is not None
    assert outcome.logs[-1].startswith("12-999999")
    assert 3_000_000 < sum(map(len, outcome.logs)) < 5_000_000


def test_python_sees_items_as_dicts() -> None:
    outcome = py("for item in _items:\n  item['json']['m'] = item['json']['n'] + 1\nreturn _items")

    assert testkit.jsons(outcome) == [[{"n": 1, "m": 2}, {"n": 2, "m": 3}]]


def test_python_for_each_item() -> None:
    outcome = py("return {'double': _item['json']['n'] * 2}", each=True)

    assert testkit.jsons(outcome) == [[{"double": 2}, {"double": 4}]]


def test_older_python_has_attributes() -> None:
    outcome = py(
        "return [{'json': {'n': i.json.n, 'first': _input.first().json.n}} for i in _input.all()]",
        language="python",
    )

    assert testkit.jsons(outcome) == [[{"n": 1, "first": 1}, {"n": 2, "first": 1}]]


def test_print_becomes_the_steps_log_and_errors_name_the_line() -> None:
    outcome = py("print('here')\n\nraise ValueError('a: b')")

    assert error_of(outcome) == "a: b [line 3]"


def test_python_that_does_not_parse_says_where() -> None:
    assert error_of(py("x = 1\nreturn (")) == "'(' was never closed [line 2]"


def test_function_takes_objects_without_json_for_the_json() -> None:
    outcome = testkit.run(Function, {"functionCode": "return [{a: 1}]"}, ITEMS)

    assert testkit.jsons(outcome) == [[{"a": 1}]]


def test_function_errors_have_their_own_form() -> None:
    outcome = testkit.run(Function, {"functionCode": "\nnope()"}, ITEMS)

    assert error_of(outcome) == "nope is not defined [Line 2]"


def test_function_item_sees_the_json_of_each_item() -> None:
    code = "item.n += 10; return item;"
    outcome = testkit.run(FunctionItem, {"functionCode": code}, ITEMS)

    assert testkit.jsons(outcome) == [[{"n": 11}, {"n": 12}]]


def test_without_an_engine_user_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_code, "_engine", None)

    assert error_of(js("return {}")) == "User code can only run in a sandbox"


@pytest.mark.parametrize(
    "outcome",
    [
        lambda: js("$execution.customData.set('a', 1); $execution.customData.setAll({b: 'x'});"
                   "return $execution.customData.getAll()"),
        lambda: py("_execution.customData.set('a', 1)\n_execution.customData.setAll({'b': 'x'})\n"
                   "return [{'json': _execution.customData.getAll()}]", language="python"),
    ],
)  # fmt: skip
def test_custom_data_that_code_sets_goes_out_with_its_outcome(outcome: Any) -> None:
    made = outcome()

    assert testkit.jsons(made) == [[{"a": "1", "b": "x"}]]
    assert made.custom == {"a": "1", "b": "x"}


COUNT_JS = "const kept = $getWorkflowStaticData('global'); kept.n = (kept.n ?? 0) + 1; return kept"
COUNT_PY = "kept = _getWorkflowStaticData('node')\nkept.n = kept.get('n', 0) + 1\nreturn [kept]"


def test_static_data_that_code_changes_goes_out_with_its_outcome() -> None:
    before = {"global": {"n": 4}, "node:Node": {"n": 7}}

    in_js = js(COUNT_JS, static=before)
    in_python = py(COUNT_PY, language="python", static=before)

    assert (testkit.jsons(in_js), testkit.jsons(in_python)) == ([[{"n": 5}]], [[{"n": 8}]])
    assert in_js.static == {"global": {"n": 5}, "node:Node": {"n": 7}}
    assert in_python.static == {"global": {"n": 4}, "node:Node": {"n": 8}}


def test_runs_for_each_item_share_static_data() -> None:
    assert js(COUNT_JS, each=True, static={}).static == {"global": {"n": 2}}


def test_static_data_that_is_only_read_is_not_written() -> None:
    assert (
        js("return $getWorkflowStaticData('node')", static={"node:Node": {"a": 1}}).static is None
    )


def test_static_data_that_nobody_fetched_or_that_is_too_large_is_refused() -> None:
    too_large = "$getWorkflowStaticData('global').text = 'x'.repeat(2e6); return []"

    assert "names $getWorkflowStaticData" in error_of(js(COUNT_JS))
    assert "over the limit" in error_of(js(too_large, static={}))
    assert '"global" or "node"' in str(js("$getWorkflowStaticData('x')", static={}).error)
