"""Text that JavaScript can hold and messages cannot, on its way out of a realm and into one."""

from typing import Any

import pytest

from penstock.nodes.code import Code
from penstock.sandbox_host import kept_realms
from penstock.sandbox_host.engines import Engines
from penstock.sandbox_host.javascript import JavaScript
from penstock.sandbox_host.kept_realms import KeptRealms
from penstock.sdk import testkit, user_code
from penstock.sdk.call import Call
from penstock.sdk.user_code import Fault, Program
from penstock.subjects.messages import Outcome

_NEVER = 1_000
BOTH_KINDS = pytest.mark.parametrize("runs_before", [0, _NEVER], ids=["kept", "fresh"])


@pytest.fixture(autouse=True)
def every_program_may_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_realms, "is_tame", lambda source, mode: True)


def js(code: str, runs_before: int, patch: pytest.MonkeyPatch, **settings: Any) -> Outcome:
    patch.setattr(user_code, "_engine", Engines(JavaScript(KeptRealms(runs_before))))
    return testkit.run(Code, {"jsCode": code}, [{"n": 1}], **settings)


@BOTH_KINDS
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("return {a: '😀'[0], b: '😀'[1]}", {"a": "\ufffd", "b": "\ufffd"}),
        ("return {a: 'ab😀'.slice(0, 3), b: '😀'}", {"a": "ab\ufffd", "b": "😀"}),
        ("return {a: '😀'[0] + '😀' + '😀'[1]}", {"a": "\ufffd😀\ufffd"}),
        ("return {a: '😀'[1] + '😀'[0]}", {"a": "\ufffd\ufffd"}),
        ("return {['😀'[0]]: 1}", {"\ufffd": 1}),
        ("return {a: '😀'[0], b: '\\\\ud83d', c: '\\\\' + '😀'[0]}",
         {"a": "\ufffd", "b": "\\ud83d", "c": "\\\ufffd"}),
        ("return {a: '😀'[0], b: '\\0\\n\"\\u2028'}", {"a": "\ufffd", "b": '\0\n"\u2028'}),
        ("return {a: DateTime.now().toFormat('😀'[0])}", {"a": "\ufffd"}),
    ],
)  # fmt: skip
def test_half_a_pair_in_a_result_becomes_a_replacement_character(
    code: str, expected: dict[str, str], runs_before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = js(code, runs_before, monkeypatch)

    assert outcome.error is None
    assert testkit.jsons(outcome) == [[expected]]


@BOTH_KINDS
def test_half_a_pair_in_a_log_an_error_or_kept_data_is_no_failure_of_ours(
    runs_before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    thrown = js("console.log('😀'[0]); throw new Error('a' + '😀'[0])", runs_before, monkeypatch)
    kept = js(
        "$getWorkflowStaticData('global').a = '😀'[0]; return {}",
        runs_before, monkeypatch, static={},
    )  # fmt: skip

    assert thrown.error is not None
    assert thrown.error.message == "a\ufffd [line 1]"
    assert thrown.logs == ["\ufffd"]
    assert kept.error is None
    assert kept.static == {"global": {"a": "\ufffd"}}


def test_half_a_pair_that_python_logs_or_raises_hides_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(user_code, "_engine", Engines())
    code = "print('a', '\\ud83d', '😀')\nraise ValueError('no' + '\\ude00')"

    outcome = testkit.run(Code, {"pythonCode": code, "language": "pythonNative"})

    assert outcome.error is not None
    assert outcome.error.message == "no\ufffd [line 2]"
    assert outcome.logs == ["a \ufffd 😀"]


@BOTH_KINDS
@pytest.mark.parametrize("text", ["'1e999'", "'\"' + '😀'[0] + '\"'"])
def test_raw_json_that_nothing_can_hold_is_the_codes_error(
    text: str, runs_before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = js(f"return {{a: JSON.rawJSON({text})}}", runs_before, monkeypatch)

    assert outcome.error is not None
    assert outcome.error.name == "NodeOperationError"
    assert outcome.error.message.startswith("The code's result cannot be stored: ")


@BOTH_KINDS
def test_a_nul_character_in_code_is_a_syntax_error_that_names_its_place(
    runs_before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = js("let a;\nreturn {a: '\0'}", runs_before, monkeypatch)

    assert outcome.error is not None
    assert outcome.error.name == "SyntaxError"
    assert outcome.error.message == "Invalid or unexpected token U+0000 at column 13 [line 2]"


@BOTH_KINDS
def test_code_with_half_a_pair_in_it_is_a_syntax_error_that_names_its_place(
    runs_before: int,
) -> None:
    call = Call(testkit.scope_of(Code, {}, [{}]))

    answers = list(JavaScript(KeptRealms(runs_before)).run(call, Program("return '\ud83d'")))

    message = "Invalid or unexpected token U+D83D at column 9"
    assert answers == [Fault(message, name="SyntaxError", line=1)]
