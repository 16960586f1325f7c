"""What user code looks at, found in its text."""

import pytest

from penstock.workflow.code_reads import follows_lineage, reads_of_code


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("return $input.all().map(i => ({json: {n: `${i.json.n}`}}));", set()),
        ("return [{json: $json}];", set()),
        ("$('A').first().json.x + $( \"B c\" ).item.json.y", {"A", "B c"}),
        ('$node["A"].json.x; $node.B.json', {"A", "B"}),
        ("$items('A', 0, 1).length + $items().length", {"A"}),
        ("_('A').first(); _node['B']; _items", {"A", "B"}),
        ("my_node = 1; self_(2)", set()),
    ],
)
def test_literal_names_are_found(text: str, names: set[str]) -> None:
    assert reads_of_code(text) == frozenset(names)


@pytest.mark.parametrize(
    "text",
    ["$(name)", "const f = $; f('A')", "$node[name]", "Object.keys($node)", "$(`a${b}`)"],
)
def test_what_is_computed_means_all_nodes(text: str) -> None:
    assert reads_of_code(text) is None


def test_lineage_is_followed_by_item_only() -> None:
    assert follows_lineage("$('A').item.json")
    assert not follows_lineage("$('A').items.length")
