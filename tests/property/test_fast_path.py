"""The engine's fast paths say what its general ways say, for all items, fields and comparisons.

A node with a transform and the same node without one must journal the same; an expression that is
resolved directly must have the value that its evaluation has. Both are compared on data that fits
them and on data that does not.
"""

import logging
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.actors.execution import core
from penstock.nodes.registry import REGISTRY
from penstock.sdk.transform import transforms_of
from penstock.subjects.errors import PenstockError
from penstock.workflow.compile import compile_document
from penstock.workflow.expressions import api, compile_value
from penstock.workflow.plan import Plan
from tests.unit.engine.workflows import NOW_MS, document, node, request
from tests.unit.expressions.scopes import make_scope

_encode = msgspec.msgpack.Encoder().encode

NAMES = st.sampled_from(["a", "b", "a.b", "list[0]", "error", "$error", "$json", "deep", "ä b"])
ATOMS = st.sampled_from(
    [None, True, 0, 1, -1, 2**53 - 1, 1.5, 1e300, "", "x", "10", "ä", "\U0001f600", "true"]
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["b", "c"]), inner, max_size=2)
    ),
    max_leaves=4,
)
JSONS = st.dictionaries(NAMES, VALUES, max_size=4)
ITEMS = st.lists(
    st.fixed_dictionaries(
        {"json": JSONS},
        optional={
            "binary": st.just({"data": {"id": "b"}}),
            "pairedItem": st.sampled_from([0, {"item": 1}, [{"item": 0}], None]),
            "error": st.sampled_from([None, "text", {"message": "told"}]),
        },
    ),
    min_size=1,
    max_size=3,
)
SIDES = st.sampled_from(
    [
        "$json.a",
        '$json["b"]',
        "$json.deep.b",
        "$json.list[0]",
        "$json.ä",
        "($json.a)",
        "$json.length",
        "$json?.a",
        "$json.a.b.c",
        "$itemIndex",
        "$('Start').item.json.id",
        "$('Middle').item.json['name']",
        "$('Middle').item.json.name.length",
        "$('Never').item.json.a",
        "$('Nowhere').item.json.a",
        "1",
        "0",
        "9007199254740991",
        "'x'",
    ]
)
CODES = st.builds(
    "{}{}{}".format,
    SIDES,
    st.sampled_from([" + ", " - ", " * ", " === ", " !== ", " < ", " >= ", " ? 1 : "]),
    SIDES,
)
EXPRESSIONS = (SIDES | CODES).map("={{{{ {} }}}}".format) | st.builds(
    "=Hello {{{{ {} }}}}, {{{{ {} }}}}!".format, SIDES, CODES
)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "onError": st.sampled_from(["continueRegularOutput", "continueErrorOutput"]),
        "disabled": st.just(True),
        "executeOnce": st.just(True),
        "alwaysOutputData": st.just(True),
    },
)


@st.composite
def set_node(draw: st.DrawFn) -> dict[str, Any]:
    kinds = st.sampled_from(["string", "number", "boolean", "array", "object", "other"])
    fields = st.fixed_dictionaries(
        {"name": NAMES, "type": kinds, "value": VALUES | EXPRESSIONS | EXPRESSIONS}
    )
    options = {"dotNotation": draw(st.booleans()), "ignoreConversionErrors": draw(st.booleans())}
    return {
        "assignments": {"assignments": draw(st.lists(fields, max_size=3))},
        "includeOtherFields": draw(st.booleans()),
        "include": draw(st.sampled_from(["all", "selected", "except"])),
        "includeFields": "a, deep",
        "excludeFields": "b",
        "options": options,
    }


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    names = "number:gt string:contains boolean:true string:exists array:lengthGt dateTime:after"
    operator = st.sampled_from([name.split(":") for name in names.split()])
    condition = st.builds(
        lambda left, right, pair: {
            "leftValue": left,
            "rightValue": right,
            "operator": {"type": pair[0], "operation": pair[1]},
        },
        EXPRESSIONS,
        VALUES | EXPRESSIONS,
        operator,
    )
    validation = draw(st.sampled_from(["strict", "loose"]))
    return {
        "options": {"caseSensitive": draw(st.booleans()), "typeValidation": validation},
        "combinator": draw(st.sampled_from(["and", "or"])),
        "conditions": draw(st.lists(condition, min_size=1, max_size=2)),
    }


@st.composite
def switch_node(draw: st.DrawFn) -> dict[str, Any]:
    rules = [{"conditions": draw(conditions())} for _ in range(draw(st.integers(0, 2)))]
    fallback = draw(st.sampled_from(["none", "extra", 0, 7]))
    return {
        "rules": {"values": rules},
        "options": {
            "fallbackOutput": fallback,
            "allMatchingOutputs": draw(st.booleans()),
        },
    }


PARAMETERS = {
    "noOp": st.just({}),
    "set": set_node(),
    "if": st.builds(lambda filter: {"conditions": filter}, conditions()),
    "filter": st.builds(lambda filter: {"conditions": filter}, conditions()),
    "switch": switch_node(),
}


@st.composite
def lines(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A trigger, the node that is asked about, and one after it on both of its outputs."""
    parameters = draw(PARAMETERS[name])
    asked = node("asked", f"n8n-nodes-base.{name}") | draw(SETTINGS)
    asked["parameters"] = parameters
    asked["typeVersion"] = max(REGISTRY.versions(asked["type"]))
    trigger = node("start", "n8n-nodes-base.manualTrigger")
    after = node("after", "n8n-nodes-base.noOp")
    wires = ["start > asked", "asked > after", "asked.1 > after"]
    return document([trigger, asked, after], *wires, order=draw(st.sampled_from(["v0", "v1"])))


def journal_of(plan: Plan, items: list[dict[str, Any]], mode: str) -> tuple[bytes, bytes]:
    """What an execution journals, and what is left of it."""
    asked = request(mode=mode)
    asked.items = msgspec.convert(items, list[dict[str, Any]])
    state = core.new_state(plan, asked)
    turn = core.start(state, NOW_MS)
    return _encode(turn.events), _encode(core.dump(state))


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_transform_journals_what_the_general_way_journals(name: str) -> None:
    logging.getLogger("penstock.node").setLevel(logging.CRITICAL)

    @settings(max_examples=150, deadline=None)
    @given(lines(name), ITEMS, st.sampled_from(["trigger", "manual"]))
    def check(workflow: dict[str, Any], items: list[dict[str, Any]], mode: str) -> None:
        fast = compile_document(workflow, REGISTRY)
        general = compile_document(workflow, REGISTRY)
        general.transforms = [None] * len(general.nodes)

        assert journal_of(fast, items, mode) == journal_of(general, items, mode)

    check()


@pytest.mark.parametrize("names", [["$error", "$json"], ["a.b", "a", "a.b"]])
def test_fields_that_a_transform_cannot_set_go_the_general_way(names: list[str]) -> None:
    value = {"string": "text", "object": {"x": 1}}
    kinds = ["object" if name == "a" else "string" for name in names]
    fields = [
        {"name": name, "type": kind, "value": value[kind]}
        for name, kind in zip(names, kinds, strict=True)
    ]
    setting = node("set", "n8n-nodes-base.set", assignments={"assignments": fields})
    setting["typeVersion"] = 3.4
    trigger = node("start", "n8n-nodes-base.manualTrigger")
    workflow = document([trigger, setting], "start > set")
    fast, general = (compile_document(workflow, REGISTRY) for _ in range(2))
    general.transforms = [None] * len(general.nodes)

    assert journal_of(fast, [{"json": {}}], "trigger") == journal_of(
        general, [{"json": {}}], "trigger"
    )


def test_plain_nodes_have_a_transform_and_those_with_settings_have_none() -> None:
    field = {"name": "a", "type": "number", "value": "={{ $json.b + 1 }}"}
    plain = node("set", "n8n-nodes-base.set", assignments={"assignments": [field]})
    plain["typeVersion"] = 3.4
    lenient = {**plain, "name": "lenient", "onError": "continueRegularOutput"}
    wires = ["set > lenient"]

    plan = compile_document(document([plain, lenient], *wires), REGISTRY)

    assert [made is not None for made in transforms_of(plan)] == [True, False]


def value_of(resolver: Callable[..., Any], data: dict[str, Any]) -> Any:
    try:
        return resolver(make_scope(data), 0)
    except PenstockError as error:
        return str(error)


@settings(max_examples=500, deadline=None)
@given(EXPRESSIONS, JSONS)
def test_a_direct_resolver_gives_what_evaluation_gives(text: str, data: dict[str, Any]) -> None:
    direct = compile_value(text).resolver
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "direct_resolver", lambda tree, general: None)
        patch.setattr(api, "direct_text", lambda parts, general: None)
        evaluated = api.compile_template.__wrapped__(text[1:]).resolver

    # By their texts: NaN is unlike itself, and 1 is 1.0.
    assert repr(value_of(direct, data)) == repr(value_of(evaluated, data))
