"""Bodies of every kind, good and bad."""

from typing import Any

import pytest

from tests.unit.gateway.harness import Gateway, chain, until, webhook

UPLOAD = (
    b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nhello\r\n"
    b'--x\r\nContent-Disposition: form-data; name="n"\r\n\r\n1\r\n'
    b'--x\r\nContent-Disposition: form-data; name="n"\r\n\r\n2\r\n--x--\r\n'
)


async def item_of(gw: Gateway, body: bytes, content_type: str, **options: Any) -> dict[str, Any]:
    await gw.create(chain("bodies", webhook("bodies", options=options)))
    answer = await gw.call("POST", "/webhook/bodies", body, Content_Type=content_type)
    assert answer.status == 200, answer.body
    await until(lambda: gw.owners.runs)
    found: dict[str, Any] = gw.owners.runs[0].items[0]
    return found


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json", b'{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        ("application/json; charset=utf-8", b"[1]", [1]),
        ("application/vnd.api+json", b'"x"', "x"),
        ("application/json", b"", {}),
        (
            "application/x-www-form-urlencoded",
            b"a=1&b=2&b=3&c=",
            {"a": "1", "b": ["2", "3"], "c": ""},
        ),
        ("text/plain", "Grüße".encode(), "Grüße"),
        ("text/plain; charset=latin-1", "Grüße".encode("latin-1"), "Grüße"),
        ("text/plain; charset=nonsense", b"x", "x"),
        ("application/xml", b"<a/>", "<a/>"),
        (
            "application/json",
            b'{"n": 123456789012345678901234567890}',
            {"n": 1.2345678901234568e29},
        ),
        (
            "application/json",
            rb'{"\ud800": "a\udc00\ud83d\ude00", "n": [1e999, -1e999, 18446744073709551615]}',
            {"\ufffd": "a\ufffd😀", "n": [None, None, 18446744073709551615]},
        ),
        ("application/json", b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ("application/json; charset=iso-8859-1", '"Grüße"'.encode("latin-1"), "Grüße"),
        ('application/json; charset="UTF-16"', '"Grüße"'.encode("utf-16"), "Grüße"),
        ("multipart/form-data; boundary=x", b"--x--\r\n", {}),
        ("multipart/form-data; boundary=x", b"--x--", {}),
    ],
)
async def test_a_body_is_read_by_its_content_type(
    gw: Gateway, content_type: str, body: bytes, expected: Any
) -> None:
    item = await item_of(gw, body, content_type)

    assert item["json"]["body"] == expected


async def test_other_bodies_become_blobs(gw: Gateway) -> None:
    item = await item_of(gw, b"\x00\x01", "application/pdf", binaryPropertyName="file")

    entry = item["binary"]["file"]
    assert gw.blobs.stored[entry.pop("id")] == b"\x00\x01"
    assert entry == {
        "mimeType": "application/pdf",
        "fileSize": "2 B",
        "bytes": 2,
        "fileExtension": "pdf",
    }
    assert item["json"]["body"] == {}


async def test_uploads_become_fields_and_blobs(gw: Gateway) -> None:
    item = await item_of(gw, UPLOAD, "multipart/form-data; boundary=x")

    assert item["json"]["body"] == {"n": ["1", "2"]}
    entry = item["binary"]["f"]
    assert (entry["fileName"], entry["mimeType"]) == ("a.txt", "text/plain")
    assert gw.blobs.stored[entry["id"]] == b"hello"


async def test_the_raw_body_stands_beside_its_meaning_when_asked_for(gw: Gateway) -> None:
    item = await item_of(gw, b'{"a": 1}', "application/json", rawBody=True)

    assert item["json"]["body"] == {"a": 1}
    assert gw.blobs.stored[item["binary"]["data"]["id"]] == b'{"a": 1}'


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"a": '),
        ("application/json", b"\xff\xfe"),
        ("application/json", b'{"a": "\xff"}'),
        ("application/json", b"[" * 100_000),
        ("application/json", b"[" * 500 + b"]" * 500),
        ("application/json", b'{"a": 1} x'),
        ("application/json", b"NaN"),
        ("application/json", b'{"a": "\\ud800", "b": NaN}'),
        ("application/json", b'{"a": 1e999'),
        ("application/json; charset=utf-16", b"[1]x"),
        ("multipart/form-data; boundary=x", UPLOAD[: UPLOAD.rindex(b"--x--")]),
        ("multipart/form-data; boundary=x", UPLOAD[: UPLOAD.rindex(b"2")]),
        ("multipart/form-data; boundary=x", UPLOAD[:60]),
        ("multipart/form-data", b"xyz"),
        ("multipart/form-data; boundary=x", b"--y\r\nnonsense"),
        ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % n for n in range(20_000))),
    ],
    ids=str,
)
async def test_malformed_bodies_are_refused_with_their_place(
    gw: Gateway, content_type: str, body: bytes
) -> None:
    await gw.create(chain("strict", webhook("strict")))

    answer = await gw.call("POST", "/webhook/strict", body, Content_Type=content_type)

    assert answer.status == 400, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["problems"][0]["path"] == "body"
    assert gw.owners.runs == []


async def test_json_in_a_charset_that_is_not_known_is_refused_in_words(gw: Gateway) -> None:
    await gw.create(chain("strict", webhook("strict")))
    kind = "application/json; charset=punycode"

    answers = [
        await gw.call("POST", "/webhook/strict", b"[1]", Content_Type=kind),
        await gw.api("POST", "/workflows", b"{}", Content_Type=kind),
    ]

    for answer in answers:
        assert (answer.status, answer.json["remedy"]) == (415, "send it in UTF-8")
        assert "'punycode'" in answer.json["detail"]


@pytest.mark.parametrize("declared", [True, False])
async def test_bodies_over_the_limit_are_refused_declared_or_not(
    gw: Gateway, declared: bool
) -> None:
    await gw.create(chain("strict", webhook("strict")))
    length = {} if declared else {"Content_Length": "nonsense"}

    answer = await gw.call(
        "POST", "/webhook/strict", b"x" * (17 << 20), Content_Type="text/plain", **length
    )

    assert answer.status == 413


async def test_ten_megabytes_go_through(gw: Gateway) -> None:
    item = await item_of(gw, b'"' + b"x" * (10 << 20) + b'"', "application/json")

    assert len(item["json"]["body"]) == 10 << 20
