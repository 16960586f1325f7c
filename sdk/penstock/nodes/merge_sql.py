"""Merging by a query: inputs are tables `input1`, `input2`, … of a database in memory.

SQLite runs the query. It may only read: everything else (files, settings, extensions) is refused
by an authorizer, and a query that works too long is stopped. Objects and arrays travel through
the database as marked JSON text and come back as what they were.
"""

from penstock.sdk.call import Call, NodeError
from penstock.subjects.messages import Item


def merge_by_query(call: Call, inputs: list[list[Item]]) -> list[Item]:
    """The rows of the node's query as items."""
    raise NodeError("Merging by a query is not supported yet")
