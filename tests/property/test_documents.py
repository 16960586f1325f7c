"""For all JSON: reading, validating and compiling a document never crashes and never hangs."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.nodes.registry import REGISTRY
from penstock.workflow.compile import compile_document, expression_problems
from penstock.workflow.validate import check

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "a", "b", "={{ $json.a }}", "={{ $('a').item }}", "={{ (", "main"])
    | st.text(max_size=8)
)
json_values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=12,
)
type_names = st.sampled_from(REGISTRY.names())
parameter_names = st.sampled_from(
    [
        "mode",
        "rules",
        "options",
        "conditions",
        "values",
        "multipleMethods",
        "httpMethod",
        "numberInputs",
        "output",
        "numberOutputs",
        "jsCode",
        "assignments",
        "fallbackOutput",
    ]
)


@st.composite
def nodes(draw: st.DrawFn) -> dict[str, Any]:
    """A node of a real type with any parameters and settings."""
    kind = draw(type_names)
    node = {
        "name": draw(st.sampled_from(["a", "b", "c", "d"])),
        "type": kind,
        "typeVersion": draw(st.sampled_from(REGISTRY.versions(kind))),
        "parameters": draw(st.dictionaries(parameter_names, json_values, max_size=3)),
    }
    for key in draw(st.sets(st.sampled_from(["position", "maxTries", "onError", "credentials"]))):
        node[key] = draw(json_values)
    return node


documents = st.fixed_dictionaries(
    {"nodes": st.lists(nodes() | json_values, max_size=4)},
    optional={
        "connections": json_values
        | st.dictionaries(
            st.sampled_from(["a", "b"]), st.fixed_dictionaries({"main": json_values})
        ),
        "settings": json_values,
        "pinData": json_values,
        "penstock": json_values,
    },
)


@given(raw=json_values | documents)
@settings(max_examples=200, deadline=None)
def test_no_document_makes_reading_or_compiling_crash(raw: Any) -> None:
    document, problems = check(raw)
    expression_problems(document, REGISTRY)

    assert all(problem.message for problem in problems)
    if isinstance(raw, dict):
        compile_document(raw, REGISTRY)
