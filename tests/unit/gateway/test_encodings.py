"""Compressed request bodies: what they stand for, and what they may not do to us."""

import gzip
import json
import zlib
from collections.abc import Callable

import pytest

from penstock.gateway.bodies import BODY_BYTES_MAX
from tests.unit.gateway.harness import Gateway, chain, no_op, webhook

BODY = json.dumps({"name": "Ada", "notes": "x" * 5_000}).encode()
JSON_TYPE = {"Content_Type": "application/json"}


def bare(data: bytes) -> bytes:
    """Deflate without a frame."""
    deflating = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflating.compress(data) + deflating.flush()


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("X-GZIP", gzip.compress),
        ("gzip", lambda data: gzip.compress(data[:100]) + gzip.compress(data[100:])),
        ("deflate", zlib.compress),
        ("deflate", bare),
        ("identity", bytes),
        ("", bytes),
    ],
)
async def test_a_compressed_body_means_what_it_was_before(
    gw: Gateway, encoding: str, encode: Callable[[bytes], bytes]
) -> None:
    await gw.create(chain("any", webhook("any")))

    answer = await gw.call(
        "POST", "/webhook/any", encode(BODY), Content_Encoding=encoding, **JSON_TYPE
    )

    assert answer.status == 200
    assert gw.owners.runs[0].items[0]["json"]["body"] == json.loads(BODY)


async def test_a_document_may_come_compressed(gw: Gateway) -> None:
    document = gzip.compress(json.dumps(chain("packed", no_op("A"))).encode())

    answer = await gw.api("POST", "/workflows", document, Content_Encoding="gzip", **JSON_TYPE)

    assert (answer.status, answer.json["name"]) == (201, "packed")


@pytest.mark.parametrize("encode", [gzip.compress, zlib.compress])
async def test_a_small_body_that_stands_for_a_huge_one_is_refused(
    gw: Gateway, encode: Callable[[bytes], bytes]
) -> None:
    await gw.create(chain("any", webhook("any")))
    encoding = "gzip" if encode is gzip.compress else "deflate"

    fits = await gw.call(
        "POST", "/webhook/any", encode(bytes(BODY_BYTES_MAX)), Content_Encoding=encoding
    )
    bomb = await gw.call(
        "POST", "/webhook/any", encode(bytes(BODY_BYTES_MAX + 1)), Content_Encoding=encoding
    )

    assert (fits.status, bomb.status) == (200, 413)
    assert "inflated" in bomb.json["detail"]
    assert len(gw.owners.runs) == 1


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "é"])
async def test_an_encoding_that_is_not_known_is_refused_with_those_that_are(
    gw: Gateway, encoding: str
) -> None:
    await gw.create(chain("any", webhook("any")))

    answer = await gw.call("POST", "/webhook/any", BODY, Content_Encoding=encoding, **JSON_TYPE)

    assert (answer.status, answer.headers["accept-encoding"]) == (415, "gzip, deflate")
    assert "gzip" in answer.json["remedy"]


@pytest.mark.parametrize(
    "raw",
    [BODY, gzip.compress(BODY)[:-9], b"\x1f", gzip.compress(BODY) + b"x", gzip.compress(b"") * 99],
    ids=["plain", "cut off", "one byte", "with a tail", "many of nothing"],
)
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_body_that_is_not_encoded_as_it_says_is_refused(
    gw: Gateway, raw: bytes, encoding: str
) -> None:
    await gw.create(chain("any", webhook("any")))

    answer = await gw.call("POST", "/webhook/any", raw, Content_Encoding=encoding, **JSON_TYPE)

    assert answer.status == 400
    assert gw.owners.runs == []
