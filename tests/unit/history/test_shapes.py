"""The projector's undecoded mirrors read what the journal's own messages say."""

from typing import Any

import msgspec
import pytest

from penstock.actors import journal
from penstock.actors.execution import events
from penstock.actors.history import shapes
from penstock.subjects import messages
from penstock.subjects.errors import ErrorInfo

MIRRORS = {
    shapes.Request: messages.RunRequest,
    **{
        getattr(shapes, kind.__name__): kind
        for kind in (*events.Event.__args__, *journal.Entry.__args__, journal.Record)
    },
}


@pytest.mark.parametrize("mirror", MIRRORS, ids=lambda mirror: mirror.__name__)
def test_fields_stand_in_the_places_of_the_original(mirror: type[msgspec.Struct]) -> None:
    original = MIRRORS[mirror]

    assert issubclass(original, msgspec.Struct)
    names = mirror.__struct_fields__
    assert names == original.__struct_fields__[: len(names)]
    assert mirror.__struct_config__.tag == original.__struct_config__.tag


def test_every_event_and_entry_has_a_mirror() -> None:
    def names(union: Any) -> set[str]:
        return {kind.__name__ for kind in union.__args__}

    assert names(shapes.Event) == names(events.Event)
    assert names(shapes.Entry) == names(journal.Entry)


def test_bodies_stay_the_bytes_they_are() -> None:
    outputs: messages.Outputs = [[{"json": {"a": [1, {"b": None}]}}], None]
    ran = events.Ran(3, outputs, 5, error=ErrorInfo("no"), context={"x": 1})
    encoded = msgspec.msgpack.encode([ran, events.Finished("error", 9, ErrorInfo("no"))])

    read = msgspec.msgpack.decode(encoded, type=list[shapes.Event])

    assert isinstance(read[0], shapes.Ran) and isinstance(read[1], shapes.Finished)
    assert msgspec.msgpack.decode(read[0].outputs) == outputs
    assert (read[0].node, read[1].error) == (3, ErrorInfo("no"))
