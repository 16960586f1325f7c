"""Nodes that ask something of the engine: to respond, to wait, to call, to fail."""

from typing import Any

import msgspec
import pytest

from penstock.nodes.execute_workflow import ExecuteWorkflow
from penstock.nodes.execute_workflow_trigger import ExecuteWorkflowTrigger
from penstock.nodes.respond_to_webhook import RespondToWebhook
from penstock.nodes.stop_and_error import StopAndError
from penstock.nodes.wait import FOREVER, Wait
from penstock.nodes.webhook import Webhook
from penstock.sdk.testkit import NOW_MS, jsons, run
from penstock.subjects.messages import Call, Respond
from penstock.subjects.messages import Wait as Sleep

HOUR_MS = 3_600_000


def answer(parameters: dict[str, Any], items: Any = ({"a": 1}, {"a": 2})) -> Respond:
    outcome = run(RespondToWebhook, parameters, items, version=1)
    assert outcome.effects, outcome.error
    (effect,) = outcome.effects
    assert isinstance(effect, Respond)
    assert jsons(outcome) == [[dict(item.get("json", item)) for item in items]]
    return effect


@pytest.mark.parametrize(
    ("parameters", "body"),
    [
        ({}, {"a": 1}),
        ({"respondWith": "allIncomingItems"}, [{"a": 1}, {"a": 2}]),
        ({"options": {"responseKey": "x.y"}}, {"x": {"y": {"a": 1}}}),
        ({"respondWith": "json", "responseBody": '={"n": {{ $json.a }}}'}, {"n": 1}),
        ({"respondWith": "json", "responseBody": "={{ $input.all().length }}"}, 2),
    ],
)
def test_the_answer_is_json(parameters: dict[str, Any], body: Any) -> None:
    response = answer(parameters)

    assert msgspec.json.decode(response.body) == body
    assert response.status == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"


def test_the_answer_has_the_code_and_headers_of_the_options() -> None:
    entries = [
        {"name": "X-One", "value": "={{ $json.a }}"},
        {"name": "Content-Type", "value": "a/b"},
    ]
    options = {"responseCode": "=201", "responseHeaders": {"entries": entries}}

    response = answer({"respondWith": "text", "responseBody": "hello", "options": options})

    assert (response.status, response.body) == (201, b"hello")
    assert response.headers == {"content-type": "a/b", "x-one": "1"}


def test_redirects_binaries_and_nothing_can_be_answered() -> None:
    redirect = answer({"respondWith": "redirect", "redirectURL": "https://example.com"})
    file = {"json": {}, "binary": {"f": {"id": "blob-1", "mimeType": "image/png"}}}
    binary = answer({"respondWith": "binary"}, [file])

    assert (redirect.status, redirect.headers) == (307, {"location": "https://example.com"})
    assert (binary.blob, binary.headers) == ("blob-1", {"content-type": "image/png"})
    assert answer({"respondWith": "noData"}).body == b""


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"respondWith": "json", "responseBody": "{nope"}, "Invalid JSON in 'Response Body' field"),
        ({"respondWith": "binary"}, "No binary data exists on the first item!"),
        ({"respondWith": "jwt"}, "needs a credential"),
        ({"respondWith": "smoke"}, 'The Response Data option "smoke" is not supported!'),
    ],
)
def test_what_cannot_be_answered_is_an_error(parameters: dict[str, Any], message: str) -> None:
    outcome = run(RespondToWebhook, parameters, version=1)

    assert outcome.error is not None and message in outcome.error.message


def test_newer_responders_want_a_webhook_above_them() -> None:
    outcome = run(RespondToWebhook, {}, version=1.1)

    assert outcome.error is not None
    assert outcome.error.message == "No Webhook node found in the workflow"


def test_a_webhook_with_several_methods_has_an_output_for_each() -> None:
    webhook = Webhook()

    assert webhook.outputs({"httpMethod": "POST"}, 2) == 1
    assert webhook.outputs({"multipleMethods": True}, 2) == 2
    assert webhook.outputs({"multipleMethods": True, "httpMethod": ["GET", "PUT", "POST"]}, 2) == 3


@pytest.mark.parametrize(
    ("version", "parameters", "until_ms"),
    [
        (1, {}, NOW_MS + HOUR_MS),
        (1.1, {}, NOW_MS + 5_000),
        (1.1, {"amount": "={{ 2.5 }}", "unit": "minutes"}, NOW_MS + 150_000),
        (1.1, {"resume": "specificTime", "dateTime": "2025-03-16T00:00:00Z"}, 1_742_083_200_000),
        (1.1, {"resume": "specificTime", "dateTime": "2025-03-16T00:00"}, 1_742_079_600_000),
        (1.1, {"resume": "webhook"}, FOREVER),
        (1.1, {"resume": "webhook", "limitWaitTime": True}, NOW_MS + HOUR_MS),
    ],
)
def test_wait_sleeps_until(version: float, parameters: dict[str, Any], until_ms: int) -> None:
    outcome = run(Wait, parameters, version=version, timezone="Europe/Berlin")

    assert outcome.effects and isinstance(outcome.effects[0], Sleep)
    assert outcome.effects[0].until_ms == until_ms
    assert jsons(outcome) == [[{}]]


def test_a_wait_for_a_call_tells_how_it_may_come() -> None:
    parameters = {
        "resume": "webhook",
        "httpMethod": "POST",
        "responseMode": "lastNode",
        "options": {"webhookSuffix": "={{ $json.s }}"},
    }

    outcome = run(Wait, parameters, [{"s": "ok"}])

    assert outcome.effects and isinstance(outcome.effects[0], Sleep)
    webhook = outcome.effects[0].webhook
    assert webhook is not None
    assert (webhook["method"], webhook["suffix"]) == ("POST", "ok")
    assert webhook["responseMode"] == "lastNode"


@pytest.mark.parametrize(
    "parameters",
    [
        {"amount": -1},
        {"amount": "soon"},
        {"unit": "years"},
        {"resume": "specificTime", "dateTime": "soon"},
        {"resume": "form"},
        {"resume": "webhook", "incomingAuthentication": "basicAuth"},
    ],
)
def test_what_cannot_be_waited_for_is_an_error(parameters: dict[str, Any]) -> None:
    assert run(Wait, parameters).error is not None


def called(parameters: dict[str, Any], items: Any, version: float = 1.2) -> Call:
    outcome = run(ExecuteWorkflow, parameters, items, version=version)
    assert outcome.effects, outcome.error
    (effect,) = outcome.effects
    assert isinstance(effect, Call)
    return effect


def test_a_call_passes_all_items_at_once_or_each_alone() -> None:
    once = called({"workflowId": {"__rl": True, "value": "wf1"}}, [{"a": 1}, {"a": 2}])
    each = called({"workflowId": "wf1", "mode": "each"}, [{"a": 1}, {"a": 2}], version=1)

    assert (once.workflow, len(once.batches), once.paired, once.wait) == ("wf1", 1, False, True)
    assert (len(each.batches), each.paired) == (2, True)


def test_a_call_can_bring_its_workflow_and_not_wait() -> None:
    parameters = {
        "source": "parameter",
        "workflowJson": '{"nodes": []}',
        "options": {"waitForSubWorkflow": False},
    }

    call = called(parameters, [{}])

    assert (call.workflow, call.document, call.wait) == ("", {"nodes": []}, False)


def test_declared_inputs_replace_the_items() -> None:
    inputs = {
        "mappingMode": "defineBelow",
        "value": {"n": "={{ $json.a + 1 }}", "gone": 1},
        "schema": [{"displayName": "n"}, {"displayName": "gone", "removed": True}],
    }

    call = called({"workflowId": {"value": "wf1"}, "workflowInputs": inputs}, [{"a": 1}])

    assert [item["json"] for item in call.batches[0]] == [{"n": 2}]


@pytest.mark.parametrize(
    "parameters",
    [{}, {"source": "url"}, {"source": "parameter", "workflowJson": "{"}],
)
def test_a_call_of_nothing_is_an_error(parameters: dict[str, Any]) -> None:
    assert run(ExecuteWorkflow, parameters).error is not None


@pytest.mark.parametrize(
    ("version", "parameters", "expected"),
    [
        (1, {}, {"a": 1, "b": 2}),
        (1.1, {"inputSource": "passthrough"}, {"a": 1, "b": 2}),
        (1.1, {"workflowInputs": {"values": [{"name": "a"}, {"name": "c"}]}}, {"a": 1, "c": None}),
        (1.1, {"inputSource": "jsonExample", "jsonExample": '{"b": 0}'}, {"b": 2}),
    ],
)
def test_a_called_workflow_gets_what_it_declares(
    version: float, parameters: dict[str, Any], expected: Any
) -> None:
    outcome = run(ExecuteWorkflowTrigger, parameters, [{"a": 1, "b": 2}], version=version)

    assert jsons(outcome) == [[expected]]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"errorMessage": "=bad {{ $json.a }}"}, "bad 1"),
        ({"errorType": "errorObject", "errorObject": '{"message": "m", "code": 3}'}, "m"),
        ({"errorType": "errorObject", "errorObject": '{"code": 3}'}, 'Error: {"code":3}'),
    ],
)
def test_stop_and_error_fails_with_the_error_it_is_given(
    parameters: dict[str, Any], message: str
) -> None:
    outcome = run(StopAndError, parameters, [{"a": 1}])

    assert outcome.outputs is None
    assert outcome.error is not None and outcome.error.message == message
