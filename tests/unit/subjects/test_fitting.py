"""A view that is too large keeps how it stands and its newest runs."""

import msgspec

from penstock.subjects.errors import ErrorInfo
from penstock.subjects.fitting import ERROR_LENGTH_MAX, fit
from penstock.subjects.messages import Outputs
from penstock.subjects.views import ExecutionView, NodeRunView


def a_run(index: int, data: str, error: ErrorInfo | None = None) -> NodeRunView:
    status = "success" if error is None else "error"
    outputs: Outputs = [[{"json": {"data": data}}]]
    return NodeRunView(index=index, status=status, finished_ms=1, outputs=outputs, error=error)


def a_view(runs: dict[str, list[NodeRunView]], error: ErrorInfo | None = None) -> ExecutionView:
    return ExecutionView(
        id="e1",
        tenant="main",
        workflow="w",
        plan="p",
        mode="webhook",
        status="error",
        received_ms=1,
        error=error,
        runs=runs,
    )


def size(view: ExecutionView) -> int:
    return len(msgspec.msgpack.encode(view))


def test_large_data_leaves_every_run_and_the_newest_with_its_data() -> None:
    view = a_view(
        {"A": [a_run(0, "x" * 4_000), a_run(2, "x" * 4_000)], "B": [a_run(1, "x" * 4_000)]},
        ErrorInfo("it broke"),
    )

    fit(view, 9_500)

    assert size(view) <= 9_500
    assert (view.status, view.error, view.is_partial) == ("error", ErrorInfo("it broke"), True)
    marks = {name: [(r.index, r.is_partial) for r in runs] for name, runs in view.runs.items()}
    assert marks == {"A": [(0, True), (2, False)], "B": [(1, False)]}
    assert view.runs["A"][0].outputs is None
    assert view.runs["A"][1].outputs == [[{"json": {"data": "x" * 4_000}}]]
    assert view.runs_left_out == 0


def test_of_very_many_runs_the_oldest_are_counted_only() -> None:
    view = a_view({"Old": [a_run(0, "x")], "Loop": [a_run(n, "x") for n in range(1, 1_000)]})

    fit(view, 10_000)

    assert size(view) <= 10_000
    kept = [run.index for run in view.runs["Loop"]]
    assert list(view.runs) == ["Loop"]
    assert kept == list(range(1_000 - len(kept), 1_000))
    assert view.runs_left_out == 1_000 - len(kept)
    assert view.runs["Loop"][-1].outputs == [[{"json": {"data": "x"}}]]


def test_long_errors_and_custom_data_give_way() -> None:
    error = ErrorInfo("m" * 20_000, description="d" * 20_000, context={"c": "c" * 20_000})
    view = a_view({"A": [a_run(0, "x", error)]}, error)
    view.custom = {"c": "c" * 20_000}

    fit(view, 20_000)

    assert size(view) <= 20_000
    assert view.custom is None
    assert view.error is not None and view.error.message == "m" * ERROR_LENGTH_MAX + "…"
    assert view.runs["A"][0].error == view.error
