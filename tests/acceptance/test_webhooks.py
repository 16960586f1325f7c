"""Webhooks as their callers see them."""

import json

from tests.acceptance.client import Product, http
from tests.acceptance.documents import assign, chain, code, node, webhook


def test_last_node_mode_answers_with_what_the_last_node_put_out(product: Product) -> None:
    product.create(
        chain("greet", webhook("greet"), assign("Greet", greeting="=Hello {{ $json.body.name }}"))
    )

    answer = product.webhook("greet", {"name": "Ada"})

    assert answer.status == 200
    assert answer.json == {"greeting": "Hello Ada"}
    execution = product.finished(answer.headers["x-penstock-execution"])
    assert execution["status"] == "success"


def test_immediate_mode_answers_at_once_and_the_execution_finishes(product: Product) -> None:
    product.create(chain("now", webhook("now", "onReceived"), assign("Set", a="b")))

    answer = product.webhook("now", {"x": 1})

    assert answer.status == 200
    assert answer.json == {"message": "Workflow was started"}
    assert product.finished(answer.headers["x-penstock-execution"])["status"] == "success"


def test_respond_node_decides_status_headers_and_body(product: Product) -> None:
    respond = node(
        "Respond",
        "respondToWebhook",
        1.1,
        respondWith="json",
        responseBody='={{ { "sum": $json.body.a + $json.body.b } }}',
        options={
            "responseCode": 201,
            "responseHeaders": {"entries": [{"name": "X-Kind", "value": "sum"}]},
        },
    )
    product.create(chain("sum", webhook("sum", "responseNode"), respond))

    answer = product.webhook("sum", {"a": 2, "b": 3})

    assert (answer.status, answer.json) == (201, {"sum": 5})
    assert answer.headers["x-kind"] == "sum"


def test_path_parameters_query_and_headers_reach_the_workflow(product: Product) -> None:
    product.create(
        chain(
            "params",
            webhook("users/:id/:what", method="GET"),
            assign(
                "Set",
                id="={{ $json.params.id }}",
                q="={{ $json.query.q }}",
                h="={{ $json.headers['x-h'] }}",
            ),
        )
    )

    answer = http("GET", f"{product.url}/webhook/users--id--what/users/7/name?q=1", X_H="yes")

    assert answer.status == 200, answer.body
    assert answer.json == {"id": "7", "q": "1", "h": "yes"}


def test_an_error_in_the_workflow_is_a_500_that_names_the_execution(product: Product) -> None:
    product.create(
        chain("fails", webhook("fails"), node("Stop", "stopAndError", errorMessage="no good"))
    )

    answer = product.webhook("fails", {})

    assert answer.status == 500
    execution = product.finished(answer.headers["x-penstock-execution"])
    assert execution["status"] == "error"
    assert execution["error"]["message"] == "no good"


def test_user_code_runs_and_answers(product: Product) -> None:
    product.create(
        chain(
            "code",
            webhook("code"),
            code("Code", "return [{json: {n: $input.first().json.body.n * 2}}];"),
        )
    )

    assert product.webhook("code", {"n": 21}).json == {"n": 42}


def test_form_multipart_and_binary_bodies_arrive(product: Product) -> None:
    product.create(
        chain(
            "bodies",
            webhook("bodies"),
            assign(
                "Set", body="={{ JSON.stringify($json.body) }}", file="={{ $binary.f?.fileName }}"
            ),
        )
    )
    url = f"{product.url}/webhook/bodies"

    form = http("POST", url, b"a=1&b=two", Content_Type="application/x-www-form-urlencoded")
    boundary = "----x"
    multipart = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n'
        f"Content-Type: text/plain\r\n\r\nhello\r\n--{boundary}\r\n"
        f'Content-Disposition: form-data; name="x"\r\n\r\n1\r\n--{boundary}--\r\n'
    ).encode()
    parts = http("POST", url, multipart, Content_Type=f"multipart/form-data; boundary={boundary}")
    raw = http("POST", url, b"\x00\x01", Content_Type="application/octet-stream")

    assert json.loads(form.json["body"]) == {"a": "1", "b": "two"}
    assert parts.json["file"] == "a.txt"
    assert json.loads(parts.json["body"]) == {"x": "1"}
    assert raw.status == 200


def test_bad_requests_are_refused_with_place_and_remedy(product: Product) -> None:
    product.create(chain("strict", webhook("strict"), assign("Set", a="b")))
    url = f"{product.url}/webhook/strict"

    malformed = http("POST", url, b'{"a": ', Content_Type="application/json")
    unknown = product.webhook("nowhere", {})
    method = http("DELETE", url)
    huge = http("POST", url, b"x" * (17 << 20), Content_Type="text/plain")

    assert malformed.status == 400
    assert unknown.status == 404
    assert method.status in {404, 405}
    assert huge.status == 413
    for answer in (malformed, unknown, method, huge):
        assert answer.headers["content-type"].startswith("application/problem+json"), answer
        assert answer.json["title"]


def test_ten_megabytes_of_json_go_through(product: Product) -> None:
    product.create(chain("big", webhook("big"), assign("Set", n="={{ $json.body.text.length }}")))

    answer = product.webhook("big", {"text": "x" * (10 << 20)})

    assert answer.status == 200, answer.body[:500]
    assert answer.json == {"n": str(10 << 20)}
