"""The node type of test rows that the product does not have: `n8n-nodes-testing.testData`.

It puts out what its parameter `data` holds, so that a row needs no network. Only `penstock test`
offers it.
"""

from typing import Any

import msgspec

from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.subjects.messages import Outcome
from penstock.workflow.plan import NodeType, NodeTypes

_decode = msgspec.json.Decoder().decode


class TestData(Node):
    """Each element of `data` (JSON text, a list or one object) as an item."""

    type = "n8n-nodes-testing.testData"

    def raw_parameters(self, version: float) -> frozenset[str]:
        return frozenset({"data"})

    def run(self, call: Call) -> Outcome:
        data: Any = call.param("data", 0, [])
        if isinstance(data, str):
            try:
                data = _decode(data)
            except msgspec.DecodeError as error:
                raise NodeError(f"The test data is not JSON: {error}") from error
        return call.items_out(
            [{"json": json} for json in (data if isinstance(data, list) else [data])]
        )


class WithTestData:
    """A registry with the test node added."""

    def __init__(self, types: NodeTypes) -> None:
        self._types = types
        self._test_data = TestData()

    def get(self, type_name: str, version: float) -> NodeType | None:
        """The type that serves `version`."""
        if type_name == TestData.type:
            return self._test_data
        return self._types.get(type_name, version)
