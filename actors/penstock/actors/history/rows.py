"""A row of the history as the projector holds it, and the day that decides where it stands."""

import msgspec

from penstock.subjects.ids import created_ms

DAY_MS = 86_400_000

Place = tuple[str, int, int]
"""Where a body stands: object, offset, length."""


class Row(msgspec.Struct, kw_only=True):
    """One execution. Fields are the columns, in their order; `last_node` is an index or -1."""

    day: int
    id: str
    tenant: str
    workflow: str
    plan: str
    mode: str
    status: str
    received_ms: int
    started_ms: int = 0
    finished_ms: int = 0
    waiting_for: str = ""
    until_ms: int = 0
    last_node: int = -1
    error: str = ""
    retry_of: str = ""
    parent: str = ""
    places: list[Place] = []


COLUMNS = Row.__struct_fields__
_encode_places = msgspec.json.Encoder().encode
_decode_places = msgspec.json.Decoder(list[Place]).decode


def day_of(execution: str) -> int:
    """The day since 1970 (UTC) on which an execution was created, a child's being its root's."""
    return created_ms(execution) // DAY_MS


def to_columns(row: Row) -> tuple[object, ...]:
    """A row as the database takes it."""
    *columns, places = msgspec.structs.astuple(row)
    return (*columns, _encode_places(places).decode())


def from_columns(columns: tuple[object, ...]) -> Row:
    """A row as the database gave it."""
    fields = dict(zip(COLUMNS, columns, strict=True))
    fields["places"] = _decode_places(str(fields["places"]))
    return msgspec.convert(fields, Row)
