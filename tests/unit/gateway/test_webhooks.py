"""Webhooks: what is answered, when, and what reaches the stream."""

import asyncio
from typing import Any

import pytest

from penstock.subjects import names
from penstock.subjects.asks import LeaseAnswer
from penstock.subjects.ids import partition_of
from penstock.subjects.messages import Reply, Resume
from penstock.subjects.views import ExecutionView
from tests.unit.gateway.harness import REPLIES, Gateway, chain, gateway, no_op, until, webhook


async def test_an_immediate_webhook_is_answered_after_the_run_is_stored(gw: Gateway) -> None:
    workflow = await gw.create(chain("now", webhook("now"), no_op("End")))

    answer = await gw.call("POST", "/webhook/now?a=1&b=2&b=3", {"x": 1}, X_Kind="test")

    assert answer.status == 200
    assert answer.json == {"message": "Workflow was started"}
    await until(lambda: gw.owners.runs)
    run = gw.owners.runs[0]
    assert run.execution == answer.headers["x-penstock-execution"]
    assert (run.workflow, run.start, run.mode, run.tenant) == (
        workflow,
        "Webhook",
        "webhook",
        "main",
    )
    assert run.reply is None
    item = run.items[0]["json"]
    assert item["body"] == {"x": 1}
    assert item["query"] == {"a": "1", "b": ["2", "3"]}
    assert item["headers"]["x-kind"] == "test"
    assert item["webhookUrl"] == "http://penstock.example/webhook/now"
    assert item["executionMode"] == "production"


async def test_a_waiting_webhook_is_answered_with_the_executions_reply(gw: Gateway) -> None:
    await gw.create(chain("sync", webhook("sync", "lastNode")))
    gw.owners.answer = lambda _: (201, {"Content-Type": "text/plain", "X-A": "b"}, b"done")

    answer = await gw.call("POST", "/webhook/sync", {})

    assert (answer.status, answer.body) == (201, b"done")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["x-a"] == "b"
    assert answer.headers["content-length"] == "4"
    assert answer.headers["x-penstock-execution"] == gw.owners.runs[0].execution


async def test_a_reply_that_was_lost_with_its_owner_is_asked_for(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.gateway.replies.ASK_UNSTORED_AFTER_S", 0.05)
    monkeypatch.setattr("penstock.gateway.replies.ASK_AFTER_S", 0.05)
    await gw.create(chain("sync", webhook("sync", "lastNode")))
    gw.owners.lost_replies = True
    gw.owners.answer = lambda _: (200, {}, b"late")

    answer = await gw.call("POST", "/webhook/sync", {})

    assert (answer.status, answer.body) == (200, b"late")
    assert gw.metrics.replies_polled == 1


async def test_an_execution_that_does_not_answer_in_time_goes_on(gw: Gateway) -> None:
    document = chain("slow", webhook("slow", "lastNode"))
    document["settings"]["executionTimeout"] = 0.2
    await gw.create(document)
    gw.owners.answer = lambda _: None

    answer = await gw.call("POST", "/webhook/slow", {})

    assert answer.status == 504
    assert answer.json["execution"] == answer.headers["x-penstock-execution"]
    assert gw.owners.signals == []


async def test_beyond_the_most_that_may_wait_callers_are_told_to_come_back(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.gateway.replies.WAITING_MAX", 2)
    await gw.create(chain("sync", webhook("sync", "lastNode")))
    await gw.create(chain("now", webhook("now", "onReceived")))
    waiting = [asyncio.create_task(gw.call("POST", "/webhook/sync", {})) for _ in range(2)]
    await until(lambda: len(gw.owners.runs) == 2)

    refused = await gw.call("POST", "/webhook/sync", {})
    immediate = await gw.call("POST", "/webhook/now", {})

    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert immediate.status == 200
    assert len(gw.owners.runs) == 3
    for request in gw.owners.runs[:2]:
        assert request.reply is not None
        reply = Reply(request.reply.request, request.execution, 200, {}, b"")
        gw.bus.publish(names.replies(request.reply.gateway), REPLIES.encode([reply]))
    assert [answer.status for answer in await asyncio.gather(*waiting)] == [200, 200]
    gw.owners.answer = lambda _: (200, {}, b"")
    assert (await gw.call("POST", "/webhook/sync", {})).status == 200


async def test_requests_that_arrive_together_leave_in_one_batch_of_one_partition(
    gw: Gateway,
) -> None:
    await gw.create(chain("now", webhook("now")))
    await gw.call("POST", "/webhook/now", {})
    before = len(gw.owners.batches)

    answers = await asyncio.gather(*(gw.call("POST", "/webhook/now", {}) for _ in range(100)))

    assert {answer.status for answer in answers} == {200}
    await until(lambda: len(gw.owners.runs) == 101)
    batches = gw.owners.batches[before:]
    assert len(batches) < 10
    for batch in batches:
        assert len({partition_of(run.execution, 4) for run in batch}) == 1
    assert len({run.execution for run in gw.owners.runs}) == 101


async def test_before_routes_are_known_everything_is_told_to_come_back(tmp_path: Any) -> None:
    async with gateway(tmp_path, open_it=False) as gw:
        for target in ("/webhook/x", "/webhook-waiting/x"):
            answer = await gw.call("POST", target, {})
            assert answer.status == 503
            assert answer.headers["retry-after"]
        assert (await gw.api("GET", "/workflows")).status == 503
        assert (await gw.call("GET", "/readyz")).status == 503
        assert (await gw.call("GET", "/healthz")).status == 200


async def test_without_the_broker_a_webhook_is_refused_and_told_to_come_back(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.gateway.ingress.GIVE_UP_S", 0.3)
    monkeypatch.setattr("penstock.gateway.ingress.TRY_S", 0.1)
    await gw.create(chain("now", webhook("now")))
    await gw.call("POST", "/webhook/now", {})
    gw.bus.disconnect()

    answer = await gw.call("POST", "/webhook/now", {})

    assert answer.status == 503
    assert answer.headers["retry-after"]
    assert answer.headers["x-penstock-execution"]


async def test_an_outage_shorter_than_ten_seconds_only_delays_the_answer(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.gateway.ingress.TRY_S", 0.05)
    await gw.create(chain("now", webhook("now")))
    await gw.call("POST", "/webhook/now", {})
    gw.bus.disconnect()
    pending = asyncio.create_task(gw.call("POST", "/webhook/now", {}))
    await until(lambda: gw.metrics.batches_retried > 0)

    gw.bus.reconnect()

    assert (await pending).status == 200
    await until(lambda: len(gw.owners.runs) == 2)


async def test_parameters_in_the_path_reach_the_item_under_either_address(gw: Gateway) -> None:
    node = webhook("users/:id/:what", httpMethod="GET", webhook_id="abc")
    await gw.create(chain("params", node))
    await gw.create(chain("literal", webhook("users/7/fixed", httpMethod="GET")))

    for path in ("/webhook/abc/users/7/name", "/webhook/users/7/name"):
        assert (await gw.call("GET", path)).status == 200
    assert (await gw.call("GET", "/webhook/users/7/fixed")).status == 200

    await until(lambda: len(gw.owners.runs) == 3)
    params = [run.items[0]["json"]["params"] for run in gw.owners.runs]
    assert params == [{"id": "7", "what": "name"}, {"id": "7", "what": "name"}, {}]


async def test_a_node_with_several_methods_has_one_output_for_each(gw: Gateway) -> None:
    node = webhook("many", multipleMethods=True, httpMethod=["GET", "PUT"])
    await gw.create(chain("many", node))

    await gw.call("GET", "/webhook/many")
    await gw.call("PUT", "/webhook/many")
    refused = await gw.call("POST", "/webhook/many")

    await until(lambda: len(gw.owners.runs) == 2)
    assert [run.output for run in gw.owners.runs] == [0, 1]
    assert refused.status == 405
    assert refused.headers["allow"] == "OPTIONS, GET, PUT"


async def test_browsers_may_ask_first_and_are_told_who_may_read(gw: Gateway) -> None:
    await gw.create(chain("open", webhook("open")))
    await gw.create(
        chain("closed", webhook("closed", options={"allowedOrigins": "https://a.example"}))
    )

    asked = await gw.call(
        "OPTIONS",
        "/webhook/open",
        Origin="https://b.example",
        Access_Control_Request_Headers="x-token",
    )
    open_ = await gw.call("POST", "/webhook/open", {}, Origin="https://b.example")
    closed = await gw.call("POST", "/webhook/closed", {}, Origin="https://b.example")

    assert asked.status == 204
    assert asked.headers["access-control-allow-methods"] == "OPTIONS, POST"
    assert asked.headers["access-control-allow-headers"] == "x-token"
    assert open_.headers["access-control-allow-origin"] == "https://b.example"
    assert closed.headers["access-control-allow-origin"] == "https://a.example"


async def test_addresses_and_bots_that_may_not_call_are_refused(gw: Gateway) -> None:
    await gw.create(chain("mine", webhook("mine", options={"ipWhitelist": "10.0.0.0/8, ::1"})))
    await gw.create(chain("people", webhook("people", options={"ignoreBots": True})))

    assert (await gw.call("POST", "/webhook/mine", {}, client="10.1.2.3")).status == 200
    assert (await gw.call("POST", "/webhook/mine", {}, client="::ffff:10.1.2.3")).status == 200
    assert (await gw.call("POST", "/webhook/mine", {}, client="11.1.2.3")).status == 403
    assert (
        await gw.call("POST", "/webhook/mine", {}, client="11.1.2.3", X_Forwarded_For="10.0.0.1")
    ).status == 403
    assert (await gw.call("POST", "/webhook/people", {}, User_Agent="Googlebot/2.1")).status == 403
    assert (await gw.call("POST", "/webhook/people", {}, User_Agent="curl/8")).status == 200
    await until(lambda: len(gw.owners.runs) == 3)


async def test_the_immediate_answer_is_what_the_node_configures(gw: Gateway) -> None:
    options = {
        "responseData": "<b>ok</b>",
        "responseCode": {"values": {"responseCode": 202}},
        "responseHeaders": {
            "entries": [{"name": "X-A", "value": "1"}, {"name": "bad name", "value": "x"}]
        },
    }
    await gw.create(chain("told", webhook("told", options=options)))
    await gw.create(
        chain("old", webhook("old", version=1, responseCode=204, options={"noResponseBody": True}))
    )

    told = await gw.call("POST", "/webhook/told", {})
    old = await gw.call("POST", "/webhook/old", {})

    assert (told.status, told.body, told.headers["x-a"]) == (202, b"<b>ok</b>", "1")
    assert (old.status, old.body) == (204, b"")


async def test_over_the_limit_is_a_429_with_reason_and_time(gw: Gateway) -> None:
    gw.owners.lease = LeaseAnswer(2, 60_000)
    await gw.create(chain("now", webhook("now")))
    assert [(await gw.call("POST", "/webhook/now", {})).status for _ in range(2)] == [200, 200]
    gw.owners.lease = LeaseAnswer(0, 60_000, retry_after_ms=2_500, reason="30 webhooks per second")
    answers = [await gw.call("POST", "/webhook/now", {}) for _ in range(8)]

    refused = answers[-1]
    assert refused.status == 429
    assert refused.headers["retry-after"] == "3"
    assert refused.json["detail"] == "30 webhooks per second"


async def test_without_limits_nothing_is_asked_again(gw: Gateway) -> None:
    gw.owners.lease = LeaseAnswer(0, 60_000, limited=False)
    await gw.create(chain("now", webhook("now")))

    for _ in range(20):
        assert (await gw.call("POST", "/webhook/now", {})).status == 200

    assert gw.owners.leases_asked == 2


async def waiting(gw: Gateway) -> str:
    """An execution that waits for a call; its id."""
    await gw.create(chain("any", webhook("any")))
    execution = (await gw.call("POST", "/webhook/any", {})).headers["x-penstock-execution"]
    view = ExecutionView(
        id=execution,
        tenant="main",
        workflow="w",
        plan="p",
        mode="webhook",
        status="waiting",
        received_ms=1,
    )
    gw.owners.views[execution] = view
    gw.owners.answer = lambda _: (200, {}, b"resumed")
    return execution


@pytest.mark.parametrize(
    "appended", ["/on?q=4&signature=S", "/on?signature=S&q=4", "?signature=S/on?q=4"]
)
async def test_a_signed_call_wakes_an_execution_that_waits_for_it(
    gw: Gateway, appended: str
) -> None:
    execution = await waiting(gw)
    signature = gw.resume_keys.signature(execution)

    target = f"/webhook-waiting/{execution}{appended.replace('S', signature)}"
    answer = await gw.call("POST", target, {"x": 1})

    assert (answer.status, answer.body) == (200, b"resumed")
    signal = gw.owners.signals[0]
    assert isinstance(signal, Resume)
    assert (signal.suffix, signal.method) == ("on", "POST")
    assert signal.items[0]["json"]["body"] == {"x": 1}
    assert signal.items[0]["json"]["query"] == {"q": "4"}


@pytest.mark.parametrize(
    "target", ["nope", "UPPER", "a" * 20, "0" * 20 + "/x", "%00", "../..", "0" * 5000]
)
async def test_calls_to_what_does_not_wait_are_refused(gw: Gateway, target: str) -> None:
    signature = gw.resume_keys.signature(target.partition("/")[0])

    answer = await gw.call("POST", f"/webhook-waiting/{target}?signature={signature}", {})

    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert gw.owners.signals == []


@pytest.mark.parametrize(
    "query", ["", "?q=1", "?signature=", "?signature=S0", "?signature=é", "?O"]
)
async def test_who_only_knows_the_id_of_a_waiting_execution_cannot_resume_it(
    gw: Gateway, query: str
) -> None:
    execution = await waiting(gw)
    others = f"signature={gw.resume_keys.signature(execution + '-1')}"
    query = query.replace("S", gw.resume_keys.signature(execution)).replace("O", others)

    answer = await gw.call("POST", f"/webhook-waiting/{execution}{query}", {})

    assert answer.status == 401
    assert "$execution.resumeUrl" in answer.json["remedy"]
    assert gw.owners.signals == []


@pytest.mark.parametrize("path", ["/webhook/nowhere", "/webhook", "/webhook/", "/webhook-test/x"])
async def test_unknown_paths_are_problems(gw: Gateway, path: str) -> None:
    answer = await gw.call("POST", path, {})

    assert answer.status == 404
    assert answer.json["remedy"] or answer.json["detail"]
