"""What is left out of a realm because code does not mention it must not be missed."""

from typing import Any

import pytest

from penstock.nodes.code import Code
from penstock.sandbox_host.engines import Engines
from penstock.sandbox_host.realm_source import may_wait, realm_source
from penstock.sdk import testkit, user_code


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_code, "_engine", Engines())


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("const given = $input; return {n: given.last().json.n}", [{"n": 2}]),
        ("return {n: $input['first']().json.n}", [{"n": 1}]),
        ("const {all} = $input; return all()", [{"n": 1}, {"n": 2}]),
        ("return {names: Object.keys($input).length}", [{"names": 6}]),
        ("return {n: $input\n  .first().json.n}", [{"n": 1}]),
        ("const out = [{json: {}}]; Promise.resolve().then(() => { out[0].json.late = 1 });"
         "return out", [{"late": 1}]),
        ("const out = [{json: {}}]; queueMicrotask(() => { out[0].json.late = 1 }); return out",
         [{"late": 1}]),
        ("const out = [{json: {}}]; (async () => { await 0; out[0].json.late = 1 })(); return out",
         [{"late": 1}]),
        ("const f = async () => ({late: 1}); return f()", [{"late": 1}]),
        ("return {then(done) { done({late: 1}) }}", [{"late": 1}]),
    ],
)  # fmt: skip
def test_code_finds_what_it_asks_for(code: str, expected: list[dict[str, Any]]) -> None:
    outcome = testkit.run(Code, {"jsCode": code}, [{"n": 1}, {"n": 2}])

    assert testkit.jsons(outcome) == [expected]


def test_a_fault_in_the_first_line_is_quoted_whatever_stands_before_it() -> None:
    for code in ("$input.first().nope()", "$input.first().nope(); await 1"):
        outcome = testkit.run(Code, {"jsCode": code}, [{"n": 1}])

        assert outcome.error is not None
        assert outcome.error.message == "$input.first(...).nope is not a function [line 1]"


def test_only_the_members_that_are_mentioned_are_made() -> None:
    source = "return [{json: {n: $input.first().json.n}}]"

    core = realm_source(source, "all", False).core

    assert "items[0]" in core
    assert "inputParams" not in core
    assert not may_wait(source)
