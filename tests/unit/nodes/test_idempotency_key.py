"""Requests that do something carry a key that is the same however often their step is run."""

from penstock.nodes.http_request import HttpRequest
from penstock.nodes.http_request_key import set_key
from penstock.nodes.http_request_message import Request
from penstock.sdk import testkit
from penstock.sdk.call import Call

URL = "http://localhost/"


def call(run_index: int = 0) -> Call:
    return Call(testkit.scope_of(HttpRequest, {"url": URL}, run_index=run_index))


def key(of: Call, item: int = 0, page: int = 0, method: str = "POST") -> str:
    request = Request(method, URL)
    set_key(request, of, item, page)
    return request.headers.get("idempotency-key", "")


def test_the_same_step_has_the_same_key() -> None:
    assert key(call()) == key(call()) != ""


def test_another_run_item_or_page_has_another_key() -> None:
    keys = {key(call()), key(call(run_index=1)), key(call(), item=1), key(call(), page=1)}

    assert len(keys) == 4


def test_requests_that_change_nothing_have_none() -> None:
    assert [key(call(), method=method) for method in ("GET", "HEAD", "OPTIONS")] == ["", "", ""]


def test_a_key_of_the_documents_own_is_left_alone() -> None:
    request = Request("POST", URL, headers={"Idempotency-Key": "mine"})

    set_key(request, call(), 0)

    assert request.headers == {"Idempotency-Key": "mine"}
