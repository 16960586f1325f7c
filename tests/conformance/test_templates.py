"""Workflows as people published them: every one imports, however messy it is."""

import gzip
from typing import Any

import msgspec

from penstock.nodes.registry import REGISTRY
from penstock.workflow.compile import compile_document, expression_problems
from penstock.workflow.validate import check
from tests.conformance.data import DATA, needs_data

pytestmark = needs_data

INVALID_MAX = 3
"""Published with a connection to a node that is not there, with two nodes of one name, and with
expressions that do not parse."""


def templates() -> list[dict[str, Any]]:
    with gzip.open(DATA / "templates.jsonl.gz") as lines:
        return [msgspec.json.decode(line) for line in lines]


def test_every_published_workflow_is_read_and_compiled() -> None:
    invalid = []

    for template in templates():
        document, problems = check(template)
        problems += expression_problems(document, REGISTRY)
        plan = compile_document(template, REGISTRY)
        assert len(plan.nodes) == len(document.nodes)
        if problems:
            invalid.append((template.get("name"), problems))

    assert len(invalid) <= INVALID_MAX, invalid
