"""`penstock run` and `penstock test`: what they print and how they exit."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from penstock.cli import run, test

TRIGGER = "n8n-nodes-base.manualTrigger"
SET = "n8n-nodes-base.set"


def node(name: str, kind: str, version: float = 1, **parameters: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "typeVersion": version,
        "position": [0, 0],
        "parameters": parameters,
    }


def chain(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A document whose nodes follow each other."""
    connections = {
        one["name"]: {"main": [[{"node": other["name"], "type": "main", "index": 0}]]}
        for one, other in pairwise(nodes)
    }
    settings = {"executionOrder": "v1"}
    return {"nodes": list(nodes), "connections": connections, "settings": settings, **more}


def adding_one() -> dict[str, Any]:
    assignment = {"name": "sum", "type": "number", "value": "={{ $json.a + 1 }}"}
    assignments = {"assignments": [assignment]}
    return chain(node("T", TRIGGER), node("Add", SET, 3.4, assignments=assignments))


def written(folder: Path, name: str, value: Any) -> str:
    path = folder / name
    path.write_text(json.dumps(value))
    return str(path)


def test_a_workflow_runs_to_its_end_and_tells_what_it_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = written(tmp_path, "wf.json", adding_one())
    items = written(tmp_path, "items.json", [{"a": 1}, {"json": {"a": 2}}])

    status = run.main([document, "--items", items])

    told = json.loads(capsys.readouterr().out)
    assert status == 0
    assert (told["status"], told["lastNodeExecuted"]) == ("success", "Add")
    assert told["order"] == ["T", "Add"]
    assert told["runs"]["Add"] == [
        {
            "outputs": [
                [
                    {"json": {"sum": 2}, "pairedItem": {"item": 0}},
                    {"json": {"sum": 3}, "pairedItem": {"item": 1}},
                ]
            ],
            "status": "success",
            "source": [{"previousNode": "T"}],
        }
    ]


def test_a_failed_run_exits_with_1_and_names_the_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = node("Stop", "n8n-nodes-base.stopAndError", errorMessage="enough")
    document = written(tmp_path, "wf.json", chain(node("T", TRIGGER), stop))

    status = run.main([document])

    told = json.loads(capsys.readouterr().out)
    assert status == 1
    assert (told["status"], told["error"]) == ("error", "enough")
    assert told["runs"]["Stop"][0]["outputs"] is None


def test_an_invalid_document_exits_with_2_and_every_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = chain(node("T", TRIGGER), node("S", SET, 3.4, x="={{ $json. }}"))
    broken["connections"]["ghost"] = {"main": []}
    document = written(tmp_path, "wf.json", broken)

    status = run.main([document])

    told = capsys.readouterr().err
    assert status == 2
    assert "connections['ghost']: there is no node named 'ghost'" in told
    assert "nodes[1].parameters.x" in told


def test_a_workflow_calls_another_by_its_id(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    called = adding_one()
    called["id"] = "adder"
    called["nodes"][0]["type"] = "n8n-nodes-base.executeWorkflowTrigger"
    call = node("Call", "n8n-nodes-base.executeWorkflow", 1, workflowId="adder")
    caller = written(tmp_path, "caller.json", chain(node("T", TRIGGER), call))
    other = written(tmp_path, "called.json", called)
    items = written(tmp_path, "items.json", {"a": 41})

    status = run.main([caller, "--items", items, "--with", other])

    told = json.loads(capsys.readouterr().out)
    assert (status, told.get("error")) == (0, None)
    assert told["runs"]["Call"][0]["outputs"][0][0]["json"] == {"sum": 42}


def test_rows_are_compared_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = node("Data", "n8n-nodes-testing.testData", data='[{"a": 1}]')
    document = chain(node("T", TRIGGER), data)
    rows = [
        {"id": "good", "workflow": document, "expected": {"order": ["T", "Data"]}},
        {"id": "bad", "workflow": document, "expected": {"order": ["T"], "status": "error"}},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))

    status = test.main([str(path)])

    lines = capsys.readouterr().out.splitlines()
    assert status == 1
    assert lines[0] == "bad"
    assert "  status: 'success', expected 'error'" in lines
    assert lines[-1] == "1 passed, 1 failed"


@pytest.mark.parametrize("more", [[], ["--items", "nowhere.json"]])
def test_a_file_that_cannot_be_read_exits_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    file = written(tmp_path, "wf.json", adding_one()) if more else "nowhere.json"

    assert run.main([file, *more]) == 2
    assert "nowhere.json cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "more", "told"),
    [
        ("", [], "there is no row in"),
        ("\n\n", [], "there is no row in"),
        ('{"workflow": {}, "expected": {}, "id": "a"}', ["--only", "b"], "none of 1 rows has 'b'"),
        ("nonsense", [], "rows.jsonl:1: not JSON"),
    ],
)
def test_a_test_of_no_rows_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, more: list[str], told: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text)

    status = test.main([str(path), *more])

    printed = capsys.readouterr()
    assert (status, printed.out) == (2, "")
    assert told in printed.err
