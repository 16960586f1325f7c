"""Whatever shape a node's parameters have, it fails with words of its own or not at all.

Documents are written by people, models and other programs. A parameter may hold anything; that
must never show as a bug of the node (an error named `internal`), and what comes out is JSON.
"""

import logging
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.nodes.registry import REGISTRY
from penstock.sdk.testkit import run

JUNK = st.sampled_from(
    [None, True, 0, -1, 1.5, 10**30, "", "x", "={{ $json }}", "={{ undefined }}", "={{ $now }}"]
) | st.sampled_from([[], {}, [None], {"a": None}, "={{ x => x }}", "={{ new Map([[1, NaN]]) }}"])
VALUES = st.recursive(
    JUNK,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "type", "value", "operator"]), inner, max_size=3)
    ),
    max_leaves=6,
)
PARAMETERS = {
    "set": "mode assignments fields values include includeFields options jsonOutput keepOnlySet",
    "if": "conditions combineOperation options",
    "filter": "conditions combineConditions",
    "switch": "mode rules options output value1 dataType fallbackOutput numberOutputs",
    "merge": "mode combineBy combinationMode numberInputs fieldsToMatchString mergeByFields query"
    " joinMode options output useDataOfInput propertyName1 propertyName2",
    "splitInBatches": "batchSize options",
    "limit": "maxItems keep",
    "splitOut": "fieldToSplitOut include fieldsToInclude options",
    "aggregate": "aggregate fieldsToAggregate destinationFieldName include fieldsToInclude options",
    "stopAndError": "errorType errorMessage errorObject",
    "wait": "resume amount unit dateTime limitWaitTime options httpMethod",
    "executeWorkflow": "source workflowId workflowJson mode workflowInputs options",
    "executeWorkflowTrigger": "inputSource workflowInputs jsonExample",
    "respondToWebhook": "respondWith responseBody redirectURL options responseDataSource",
}


@st.composite
def calls(draw: st.DrawFn, name: str) -> tuple[float, dict[str, Any]]:
    names = st.sampled_from(PARAMETERS[name].split())
    version = draw(st.sampled_from(REGISTRY.versions(f"n8n-nodes-base.{name}")))
    return version, draw(st.dictionaries(names, VALUES, max_size=5))


@pytest.mark.parametrize("name", PARAMETERS)
def test_no_shape_of_parameters_is_a_bug_of_the_node(name: str) -> None:
    logging.getLogger("penstock.node").setLevel(logging.CRITICAL)

    @settings(max_examples=60, deadline=None)
    @given(calls(name))
    def check(call: tuple[float, dict[str, Any]]) -> None:
        version, parameters = call
        node = REGISTRY.get(f"n8n-nodes-base.{name}", version)
        assert node is not None

        outcome = run(type(node), parameters, [{"a": 1, "l": [1, {"b": None}]}], version=version)

        assert outcome.error is None or outcome.error.name != "internal", outcome.error
        msgspec.json.encode([outcome.outputs, outcome.context])

    check()
