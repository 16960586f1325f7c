"""Whole workflows over the running product: waits, loops, calls, errors, schedules."""

from typing import Any

from tests.acceptance.client import Product, http, until
from tests.acceptance.documents import assign, chain, code, node, webhook


def outputs(execution: Any, name: str, run: int = 0, output: int = 0) -> list[Any]:
    return [item["json"] for item in execution["runs"][name][run]["outputs"][output]]


def test_a_wait_of_a_second_is_survived_and_the_flow_goes_on(product: Product) -> None:
    product.create(
        chain(
            "waits",
            webhook("waits", "onReceived"),
            node("Wait", "wait", 1.1, amount=1, unit="seconds"),
            assign("After", done=True),
        )
    )

    answer = product.webhook("waits", {})

    execution = product.finished(answer.headers["x-penstock-execution"])
    assert execution["status"] == "success"
    assert outputs(execution, "After") == [{"done": True}]


def test_a_call_resumes_an_execution_that_waits_for_one(product: Product) -> None:
    product.create(
        chain(
            "waits for call",
            webhook("waits-call", "onReceived"),
            assign("Before", url="={{ $execution.resumeUrl }}"),
            node("Wait", "wait", 1.1, resume="webhook", options={}),
            assign("After", q="={{ $json.query.q }}"),
        )
    )
    execution = product.webhook("waits-call", {}).headers["x-penstock-execution"]

    def waiting() -> Any:
        shown = product.api("GET", f"/executions/{execution}").json
        return shown if shown["status"] == "waiting" and "Before" in shown["runs"] else None

    (before,) = outputs(until(waiting, seconds=10), "Before")
    unsigned = http("GET", f"{product.url}/webhook-waiting/{execution}?q=41")
    resumed = http("GET", f"{before['url']}&q=42")

    assert unsigned.status == 401
    assert resumed.status == 200, resumed.body
    assert outputs(product.finished(execution), "After") == [{"q": "42"}]


def test_a_sub_workflow_returns_its_last_nodes_items(product: Product) -> None:
    callee = product.create(
        chain(
            "callee",
            node("Called", "executeWorkflowTrigger", 1.1, inputSource="passthrough"),
            assign("Double", n="={{ $json.n * 2 }}"),
        ),
        activate=False,
    )
    product.create(
        chain(
            "caller",
            webhook("caller"),
            code("Make", "return [{json: {n: 1}}, {json: {n: 2}}]"),
            node(
                "Call",
                "executeWorkflow",
                1.1,
                workflowId={"__rl": True, "mode": "id", "value": callee},
                options={},
            ),
            node("Collect", "aggregate", 1, aggregate="aggregateAllItemData", options={}),
        )
    )

    answer = product.webhook("caller", {})

    assert answer.json == {"data": [{"n": "2"}, {"n": "4"}]}


def test_documents_exported_together_call_each_other_by_the_ids_they_had(product: Product) -> None:
    called = node("Called", "executeWorkflowTrigger", 1.1, inputSource="passthrough")
    callee = chain("exported callee", called, assign("Triple", n="={{ $json.n * 3 }}"))
    product.create({**callee, "id": "SubPrice00000001"}, activate=False)
    workflow = {"__rl": True, "mode": "id", "value": "SubPrice00000001"}
    call = node("Call", "executeWorkflow", 1.1, workflowId=workflow, options={})
    make = code("Make", "return [{json: {n: 2}}]")
    product.create(chain("exported caller", webhook("exported-caller"), make, call))

    answer = product.webhook("exported-caller", {})

    assert answer.json == {"n": "6"}


def test_a_failure_starts_the_error_workflow(product: Product) -> None:
    handler = product.create(
        chain(
            "on error",
            node("Error", "errorTrigger"),
            assign("Note", message="={{ $json.execution.error.message }}"),
        ),
        activate=False,
    )
    product.create(
        chain(
            "fails with handler",
            webhook("fails-handled", "onReceived"),
            node("Stop", "stopAndError", errorMessage="broken"),
            errorWorkflow=handler,
        )
    )

    product.webhook("fails-handled", {})

    def handled() -> Any:
        listed = product.api("GET", f"/executions?workflow={handler}&status=success").json
        return listed["executions"]

    found = until(handled, seconds=15)
    execution = product.finished(found[0]["id"])
    assert outputs(execution, "Note") == [{"message": "broken"}]


def test_a_schedule_fires(product: Product) -> None:
    rule = {"interval": [{"field": "seconds", "secondsInterval": 1}]}
    workflow = product.create(
        chain("ticks", node("Tick", "scheduleTrigger", 1.2, rule=rule), assign("Set", a="b"))
    )

    def ticks() -> bool:
        listed = product.api("GET", f"/executions?workflow={workflow}").json
        return len(listed["executions"]) >= 2

    until(ticks, seconds=15)
    assert product.api("POST", f"/workflows/{workflow}/deactivate").status == 200


def test_python_code_runs_in_the_sandbox(product: Product) -> None:
    product.create(
        chain(
            "python",
            webhook("python"),
            node(
                "Code",
                "code",
                2,
                language="pythonNative",
                pythonCode="return [{'json': {'n': len(_items), 'b': _items[0]['json']['body']}}]",
            ),
        )
    )

    assert product.webhook("python", {"x": 1}).json == {"n": 1, "b": {"x": 1}}


def test_a_failed_execution_can_be_retried(product: Product) -> None:
    workflow = product.create(
        chain("flaky", webhook("flaky", "onReceived"), code("Code", "throw new Error('once')"))
    )
    failed = product.webhook("flaky", {}).headers["x-penstock-execution"]
    assert product.finished(failed)["status"] == "error"
    repaired = chain("flaky", webhook("flaky", "onReceived"), code("Code", "return []"))
    assert product.api("PUT", f"/workflows/{workflow}", repaired).status == 200

    retried = product.api("POST", f"/executions/{failed}/retry", {"version": "latest"})

    assert retried.status in {200, 201, 202}, retried.body
    assert product.finished(retried.json["id"])["status"] == "success"


def test_a_waiting_execution_shows_the_runs_of_the_nodes_that_ran(product: Product) -> None:
    product.create(
        chain(
            "long after a set",
            webhook("long-after-set", "onReceived"),
            assign("Before", n=1),
            node("Wait", "wait", 1.1, amount=1, unit="hours"),
        )
    )
    execution = product.webhook("long-after-set", {}).headers["x-penstock-execution"]

    def waiting() -> Any:
        shown = product.api("GET", f"/executions/{execution}").json
        return shown if shown.get("status") == "waiting" and shown["runs"] else None

    shown = until(waiting, seconds=10)

    assert (shown["waiting_for"], shown["until_ms"] > 0) == ("timer", True)
    assert shown["last_node"] in {"Before", "Wait"}
    assert outputs(shown, "Before") == [{"n": 1}]
    assert product.api("POST", f"/executions/{execution}/cancel").status in {200, 202}


def test_a_waiting_execution_can_be_canceled(product: Product) -> None:
    product.create(
        chain(
            "long",
            webhook("long", "onReceived"),
            node("Wait", "wait", 1.1, amount=1, unit="hours"),
        )
    )
    execution = product.webhook("long", {}).headers["x-penstock-execution"]

    canceled = product.api("POST", f"/executions/{execution}/cancel")

    assert canceled.status in {200, 202}, canceled.body
    assert product.finished(execution)["status"] == "canceled"
