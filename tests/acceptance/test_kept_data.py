"""What code keeps beside its items: for people who look for an execution, and for the next one."""

from tests.acceptance.client import Product, until
from tests.acceptance.documents import assign, chain, code, node, webhook

COUNT = "const kept = $getWorkflowStaticData('global'); kept.n = (kept.n ?? 0) + 1; return kept"


def count(product: Product) -> int:
    counted: int = product.webhook("counting").json["n"]
    return counted


def test_static_data_outlives_the_execution_and_belongs_to_its_workflow(product: Product) -> None:
    document = chain("counting", webhook("counting"), code("Count", COUNT))
    workflow = product.create(document)
    other = product.create(chain("apart", webhook("apart"), code("Count", COUNT)))

    assert count(product) == 1
    # The next execution may begin before the first one's data is stored, as in n8n.
    until(lambda: count(product) >= 3, seconds=20)
    assert other != workflow
    assert product.webhook("apart").json == {"n": 1}


def test_nodes_of_one_execution_see_each_others_static_data(product: Product) -> None:
    product.create(chain("twice", webhook("twice"), code("One", COUNT), code("Two", COUNT)))

    assert product.webhook("twice").json == {"n": 2}


def test_runs_by_hand_leave_static_data_as_it_was(product: Product) -> None:
    document = chain("by hand", node("Start", "manualTrigger"), code("Count", COUNT))
    workflow = product.create(document, activate=False)

    for _ in range(2):
        started = product.api("POST", "/executions", {"workflow": workflow}).json["id"]
        shown = product.finished(started)
        assert shown["runs"]["Count"][0]["outputs"][0][0]["json"] == {"n": 1}


def test_custom_data_of_expressions_and_code_is_shown_with_the_execution(product: Product) -> None:
    value = "={{ $execution.customData.set('customer', $json.body.customer) }}x"
    set_in_code = "$execution.customData.set('total', 42); return $execution.customData.getAll()"
    product.create(
        chain("custom", webhook("custom"), assign("Set", a=value), code("Code", set_in_code))
    )

    answer = product.webhook("custom", {"customer": "Ada"})

    assert answer.json == {"customer": "Ada", "total": "42"}
    shown = product.finished(answer.headers["x-penstock-execution"])
    assert shown["custom"] == {"customer": "Ada", "total": "42"}
