"""The REST API of the whole product, as a program that uses it sees it."""

import json
import threading
import urllib.request
from typing import Any

from tests.acceptance.client import Product, http, until
from tests.acceptance.documents import assign, chain, code, node, webhook


def test_an_execution_can_be_read_the_moment_its_webhook_was_answered(product: Product) -> None:
    product.create(chain("at once", webhook("at-once"), assign("Set", a="b")))
    product.create(chain("later", webhook("at-once-async", "onReceived"), assign("Set", a="b")))

    for path in ("at-once", "at-once-async"):
        for _ in range(20):
            execution = product.webhook(path, {}).headers["x-penstock-execution"]
            answer = product.api("GET", f"/executions/{execution}")
            assert answer.status == 200, answer
            assert answer.json["id"] == execution
            assert answer.json["status"] in {"running", "success"}


def test_an_execution_shows_every_run_with_its_items_and_sources(product: Product) -> None:
    workflow = product.create(
        chain("shown", webhook("shown"), assign("First", a=1), assign("Second", b=2, keep=True))
    )

    execution = product.webhook("shown", {"x": 1}).headers["x-penstock-execution"]

    shown = product.finished(execution)
    assert (shown["workflow"], shown["mode"], shown["status"]) == (workflow, "webhook", "success")
    assert list(shown["runs"]) == ["Webhook", "First", "Second"]
    second = shown["runs"]["Second"][0]
    assert second["sources"][0]["node"] == "First"
    assert second["outputs"][0][0]["json"] == {"a": 1, "b": 2}
    assert shown["last_node"] == "Second"
    assert shown["finished_ms"] >= shown["started_ms"] > 0


def test_a_workflow_is_run_by_hand_from_a_saved_version_or_a_document(product: Product) -> None:
    document = chain("by hand", node("Start", "manualTrigger"), assign("Set", a="={{ $json.x }}"))
    workflow = product.create(document, activate=False)

    saved = product.api("POST", "/executions", {"workflow": workflow, "items": [{"x": "1"}]})
    given = product.api("POST", "/executions", {"document": document, "items": [{"x": "2"}]})

    assert (saved.status, given.status) == (202, 202)
    for answer, expected in ((saved, "1"), (given, "2")):
        shown = product.finished(answer.json["id"])
        assert shown["status"] == "success", shown
        assert shown["mode"] == "manual"
        assert shown["runs"]["Set"][0]["outputs"][0][0]["json"] == {"a": expected}


def test_executions_are_listed_newest_first_in_pages(product: Product) -> None:
    workflow = product.create(chain("paged", webhook("paged"), assign("Set", a="b")))
    made = [product.webhook("paged", {}).headers["x-penstock-execution"] for _ in range(5)]
    for execution in made:
        product.finished(execution)

    seen: list[str] = []
    cursor = ""
    while True:
        page = product.api(
            "GET", f"/executions?workflow={workflow}&status=success&limit=2&cursor={cursor}"
        ).json
        seen += [row["id"] for row in page["executions"]]
        cursor = page["next_cursor"]
        if not cursor:
            break

    assert seen == made[::-1]


def test_saving_an_active_workflow_changes_what_its_webhook_does(product: Product) -> None:
    workflow = product.create(chain("changing", webhook("changing"), assign("Set", v=1)))
    assert product.webhook("changing", {}).json == {"v": 1}

    saved = product.api(
        "PUT", f"/workflows/{workflow}", chain("changing", webhook("changing"), assign("Set", v=2))
    )

    assert saved.json["version"] == 2
    assert product.webhook("changing", {}).json == {"v": 2}
    back = product.api("POST", f"/workflows/{workflow}/activate?version=1")
    assert back.status == 200
    assert product.webhook("changing", {}).json == {"v": 1}


def test_live_events_tell_of_an_execution_from_start_to_end(product: Product) -> None:
    workflow = product.create(chain("watched", webhook("watched"), assign("Set", a="b")))
    request = urllib.request.Request(
        f"{product.url}/api/v1/events?workflow={workflow}",
        headers={"Authorization": f"Bearer {product.token}"},
    )
    events: list[Any] = []

    def watch() -> None:
        with urllib.request.urlopen(request, timeout=20) as stream:
            opened.set()
            for line in stream:
                if line.startswith(b"data: {") and line != b"data: {}\n":
                    events.append(json.loads(line[6:]))
                if stopped.is_set():
                    return

    opened, stopped = threading.Event(), threading.Event()
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    assert opened.wait(10)

    def told() -> bool:
        execution = product.webhook("watched", {}).headers["x-penstock-execution"]
        return any(execution in json.dumps(event) for event in events)

    until(told, seconds=15)
    stopped.set()
    product.webhook("watched", {})
    watcher.join(10)
    assert {event["event"] for event in events} >= {"started", "finished"}, events


def test_status_names_owners_programs_and_streams(product: Product) -> None:
    def owned() -> Any:
        found = product.api("GET", "/status").json
        return found if all(entry["owner"] for entry in found["partitions"]) else None

    status = until(owned, seconds=15)

    assert {program["kind"] for program in status["programs"]} >= {"gateway", "actors"}
    assert {s["name"] for s in status["streams"] if not s["problem"]} >= {"EXEC", "STEPS", "DONE"}
    assert status["broker_connected"] is True


def test_limits_shed_with_429_and_are_lifted_again(product: Product) -> None:
    product.create(chain("limited", webhook("limited", "onReceived"), assign("Set", a="b")))
    assert product.webhook("limited", {}).status == 200

    tight = {"webhooks_per_s": 1, "webhooks_burst": 1}
    assert product.api("PUT", "/limits", tight).status == 200
    refused = until(
        lambda: answer if (answer := product.webhook("limited", {})).status == 429 else None,
        seconds=20,
    )
    assert product.api("PUT", "/limits", {}).status == 200

    assert int(refused.headers["retry-after"]) >= 1
    assert "limit" in refused.json["detail"]
    until(lambda: product.webhook("limited", {}).status == 200, seconds=20)


def test_an_execution_that_answers_too_late_is_a_504_that_names_it(product: Product) -> None:
    product.create(
        chain(
            "too late",
            webhook("too-late"),
            node("Wait", "wait", 1.1, amount=30, unit="seconds"),
            executionTimeout=1,
        )
    )

    answer = product.webhook("too-late", {})

    assert answer.status in {500, 504}
    execution = answer.headers["x-penstock-execution"]
    assert product.finished(execution)["status"] in {"error", "canceled"}


def test_a_failing_node_shows_its_error_and_where(product: Product) -> None:
    product.create(chain("broken", webhook("broken"), code("Code", "throw new Error('no good')")))

    answer = product.webhook("broken", {})

    assert answer.status == 500
    shown = product.finished(answer.headers["x-penstock-execution"])
    assert shown["status"] == "error"
    assert "no good" in shown["error"]["message"]
    assert shown["error"]["node"] == "Code"
    assert shown["runs"]["Code"][0]["error"]["message"]


def test_the_documentation_is_there_for_people_and_programs(product: Product) -> None:
    described = http("GET", f"{product.url}/api/v1/openapi.json").json

    assert described["openapi"].startswith("3.1")
    for path, operations in described["paths"].items():
        assert path.startswith("/api/v1/")
        for operation in operations.values():
            assert operation["summary"]
    assert http("GET", f"{product.url}/api-docs").status == 200
