"""What expressions give: templates, JavaScript's semantics, n8n's variables and extensions."""

import math
from typing import Any

import pytest

from penstock.workflow.expressions import UNDEFINED, ExpressionError, evaluate, to_json
from tests.unit.expressions.scopes import make_scope, resolve

DATA: dict[str, Any] = {
    "a": {"b": "text", "n": 5},
    "list": [3, 1, 2],
    "people": [{"name": "Ada", "age": 36}, {"name": "Alan", "age": 41}],
    "when": "2024-05-17T09:08:07.000Z",
    "zero": 0,
    "nothing": None,
}

VALUES: list[tuple[str, Any]] = [
    ("={{ $json.a.b }}", "text"),
    ("= {{ $json.a.n }}", " 5"),
    ("={{ $json.a.n }}{{ $json.zero }}", "50"),
    ("=\\{{ 1 }}", "\\{{ 1 }}"),
    ("={{ $json.missing }}", UNDEFINED),
    ("={{ $json.missing.deeper }}", UNDEFINED),
    ("=x{{ $json.nothing }}y{{ $json.missing }}z", "xyz"),
    ('={{ "a"; "b" }}', "a"),
    ("={{ {a: 1} }}", {"a": 1}),
    ("={{ 0.1 + 0.2 }}", 0.30000000000000004),
    ("=x{{ 1e21 }} {{ 1e-7 }} {{ -0 }}", "x1e+21 1e-7 0"),
    ("=x{{ 123456789012345680000 }}", "x123456789012345680000"),
    ("={{ 7 / 2 }}", 3.5),
    ("={{ -7 % 3 }}", -1),
    ("={{ '5' * '2' }}", 10),
    ("={{ '5' + 2 }}", "52"),
    ("={{ [] + {} }}", "[object Object]"),
    ("={{ [1,2] == '1,2' }}", True),
    ("={{ null == 0 }}", False),
    ("={{ undefined == null }}", True),
    ("={{ NaN === NaN }}", False),
    ("={{ [NaN].includes(NaN) }}", True),
    ("={{ typeof $json.missing }}", "undefined"),
    ("={{ 1 << 31 }}", -2147483648),
    ("={{ $json.missing?.a.b.c() ?? 'none' }}", "none"),
    ("={{ $json.list.map(x => x * 2).join('-') }}", "6-2-4"),
    ("={{ [10, 9, 1].sort() }}", [1, 10, 9]),
    ("={{ $json.people.map(({name, ...rest}) => ({name, rest})) }}",
     [{"name": "Ada", "rest": {"age": 36}}, {"name": "Alan", "rest": {"age": 41}}]),
    ("={{ [...new Set([1, 1, 2])] }}", [1, 2]),
    ("={{ `${$json.a.n}:${[1, 2]}` }}", "5:1,2"),
    ("={{ '2024-01-05'.match(/(?<y>\\d+)-(?<m>\\d+)/).groups.m }}", "01"),
    ("={{ 'aXbX'.replace(/x/gi, m => m + '!') }}", "aX!bX!"),
    ("={{ '😀a'.length }}", 3),
    (
        "={{ (() => { let n = 0; for (const x of [1, 2, 3]) { if (x == 2) continue; n += x }"
        " return n })() }}",
        4,
    ),
    ("={{ (() => { try { null.x } catch (e) { return e.name } })() }}", "TypeError"),
    ("={{ JSON.stringify({a: [1, undefined], b: undefined, c: NaN}) }}", '{"a":[1,null],"c":null}'),
    ("={{ Object.keys({b: 1, 2: 1, 1: 1}) }}", ["1", "2", "b"]),
    ("={{ new Date(0).toISOString() }}", "1970-01-01T00:00:00.000Z"),
    ("={{ $now.toISO() }}", "2025-03-15T10:30:45.123-04:00"),
    ("={{ $today.toISODate() }}", "2025-03-15"),
    ("={{ $json.when.toDateTime().plus(1, 'day').format('yyyy LLL dd') }}", "2024 May 18"),
    ("={{ $('Middle').item.json.name }}", "a"),
    ("={{ $('Start').item.json.id }}", 1),
    ("={{ $('Start').all().length }}", 2),
    ("={{ $node['Start'].json.id }}", 1),
    ("={{ $('Never').isExecuted }}", False),
    ("={{ $prevNode.name }}", "Middle"),
    ("={{ $input.last().json.second }}", True),
    ("={{ $execution.mode }}", "production"),
    ("={{ $if($json.zero, $json.x.y.z, 'no') }}", "no"),
    ("={{ $ifEmpty('', 'default') }}", "default"),
    ("={{ $jmespath($json, 'people[?age > `40`].name') }}", ["Alan"]),
    ("={{ $json.missing.isEmpty() }}", True),
    ("={{ $json.people.pluck('name') }}", ["Ada", "Alan"]),
    ("={{ unknownName }}", UNDEFINED),
    ("={{ require }}", {}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), VALUES, ids=[text for text, _ in VALUES])
def test_an_expression_gives_what_javascript_and_n8n_give(text: str, expected: Any) -> None:
    assert resolve(text, DATA) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("={{ }}", "invalid syntax"),
        ("={{ 1 + }}", "invalid syntax"),
        ("={{ const a = 1; a }}", "invalid syntax"),
        ('={{ "}}" }}', "invalid syntax"),
        ("={{ x => x }}", "this is a function, please add ()"),
        ("={{ [].constructor }}", "Expression contains invalid constructor function call"),
        ("={{ ({})['__pro' + 'to__'] }}", 'Cannot access "__proto__" due to security concerns'),
        ("={{ $json.a.arguments }}", 'Cannot access "arguments" due to security concerns'),
        ("={{ $env.HOME }}", "access to env vars denied"),
        ("={{ $('Nowhere').item }}", "Referenced node doesn't exist"),
        ("={{ $('Never').first() }}", "Node 'Never' hasn't been executed"),
        ("={{ $json.missing.toJsonString() }}", "toJsonString can't be used on undefined value"),
        ("={{ (1).toTitleCase() }}", 'toTitleCase() is only callable on type "String"'),
    ],
)
def test_errors_that_surface_have_the_words_of_n8n(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        resolve(text, DATA)

    assert caught.value.message == message


def test_each_item_gets_its_own_value() -> None:
    assert resolve("={{ $('Start').item.json.id }}/{{ $itemIndex }}", DATA, item=1) == "2/1"


def test_a_nested_template_sees_the_variables_it_is_given() -> None:
    assert evaluate("={{ $pageCount + 1 }}", make_scope(), 0, {"$pageCount": 4}) == 5


def test_json_drops_undefined_and_turns_dates_and_odd_numbers_to_what_json_has() -> None:
    value = resolve("={{ {a: undefined, b: [undefined], c: NaN, d: $now, e: 4 / 2, f: 1e20} }}")

    assert to_json(value) == {
        "b": [None],
        "c": None,
        "d": "2025-03-15T10:30:45.123-04:00",
        "e": 2,
        "f": 10**20,
    }


def test_plain_data_is_handed_on_without_a_copy() -> None:
    assert to_json(DATA) is DATA


def test_infinity_and_nan_stay_numbers_until_they_are_stored() -> None:
    assert math.isnan(resolve("={{ 0 / 0 }}"))
    assert resolve("={{ -1 / 0 }}") == -math.inf
