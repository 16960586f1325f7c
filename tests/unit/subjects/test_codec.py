"""The codec lets in what its type says and nothing else."""

import pytest

from penstock.subjects import codec
from penstock.subjects.codec import MESSAGE_BYTES_MAX, Codec, CodecError
from penstock.subjects.messages import Heartbeat, RunRequest, Signal

RUNS: Codec[list[RunRequest]] = Codec(list[RunRequest])
HEARTBEAT: Codec[Heartbeat] = Codec(Heartbeat)


def a_request() -> RunRequest:
    return RunRequest("e1", "main", "w", "hash", "", "webhook", [{"json": {"a": [1, None]}}], 7)


def test_what_was_encoded_comes_back() -> None:
    assert RUNS.decode(RUNS.encode([a_request()])) == [a_request()]


def test_a_frame_of_another_version_is_refused_by_number() -> None:
    frame = bytes([codec.VERSION + 1]) + RUNS.encode([])[1:]

    with pytest.raises(CodecError, match=f"version {codec.VERSION + 1}"):
        RUNS.decode(frame)


def test_an_empty_frame_is_refused() -> None:
    with pytest.raises(CodecError, match="version none"):
        RUNS.decode(b"")


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x91", b"\x93\x01\x02\x03", b"\x90\x90"])
def test_a_malformed_body_names_the_type_it_was_meant_to_be(body: bytes) -> None:
    with pytest.raises(CodecError, match="malformed Heartbeat"):
        HEARTBEAT.decode(bytes([codec.VERSION]) + body)


def test_size_is_checked_before_decoding() -> None:
    with pytest.raises(CodecError, match="exceeds"):
        HEARTBEAT.decode(bytes([codec.VERSION]) + b"\xc1" * MESSAGE_BYTES_MAX)


def test_a_message_too_large_is_not_encoded() -> None:
    large = a_request()
    large.items = [{"json": {"text": "x" * MESSAGE_BYTES_MAX}}]

    with pytest.raises(CodecError, match="list of RunRequest"):
        RUNS.encode([large])


def test_deep_nesting_is_malformed_and_does_not_overflow() -> None:
    nested = b"\x91" * 100_000 + b"\xc0"
    anything: Codec[object] = Codec(object)

    with pytest.raises(CodecError):
        anything.decode(bytes([codec.VERSION]) + nested)


def test_a_union_is_told_apart_by_its_tag() -> None:
    signals: Codec[list[Signal]] = Codec(list[Signal])

    with pytest.raises(CodecError, match="nonsense"):
        signals.decode(bytes([codec.VERSION]) + b"\x91\x91\xa8nonsense")
