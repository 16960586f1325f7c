"""Extension methods of strings."""

import base64
import binascii
import hashlib
import math
import re
import unicodedata
from typing import Any

import regex

from penstock.workflow.expressions import date_parse
from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import to_string, truthy
from penstock.workflow.expressions.dates import DateTime, zone_of
from penstock.workflow.expressions.errors import BudgetError, JsThrow, extension_error
from penstock.workflow.expressions.globals import decode_uri, encode_uri
from penstock.workflow.expressions.js_date import parse_date
from penstock.workflow.expressions.json_text import parse_text, quote
from penstock.workflow.expressions.members import argument
from penstock.workflow.expressions.numbers import parse_float, parse_int, string_to_number, tidy
from penstock.workflow.expressions.text import text_length
from penstock.workflow.expressions.values import UNDEFINED, JsDate, Native
from penstock.workflow.expressions.zones import Zone

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,255}(?:\.[\w-]{1,63}){1,8}")
_EMAIL_WHOLE = re.compile(
    r"""(?:[^<>()\[\]\\.,;:\s@"]+(?:\.[^<>()\[\]\\.,;:\s@"]+)*|"[^"]+")@"""
    r"(?:\[[0-9.]+\]|(?:[a-zA-Z\-0-9]+\.)+[a-zA-Z]{2,})\Z"
)
_URL = re.compile(
    r"(?:https?|ftp|file)://(?:www\.)?"
    r"(?:[a-zA-Z0-9\u00a1-\uffff_-]{1,63}(?:\.[a-zA-Z0-9\u00a1-\uffff_-]{1,63}){0,10}"
    r"|\[[0-9a-fA-F:.]+\])"
    r"(?::\d{2,5})?(?:[/?#][^\s\"<>]*)?",
    re.I,
)
_DOMAIN = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z0-9-]{2,63}(?::\d+)?\Z"
)
_HOST = re.compile(
    r"(?:(?:https?|ftp|file)://)?(?:www\.)?((?:www\.)?(?:[-\w]{1,255}\.){1,8}[A-Za-z0-9-]{2,63})"
)
_HASHES = {
    "md5": "md5", "sha1": "sha1", "sha224": "sha224", "sha256": "sha256", "sha384": "sha384",
    "sha512": "sha512", "sha3": "sha3_512", "ripemd160": "ripemd160",
}  # fmt: skip


def _hash(context: Context, this: str, arguments: list[Any]) -> str:
    name = "md5" if argument(arguments, 0) is UNDEFINED else to_string(argument(arguments, 0))
    data = this.encode("utf-8", "replace")
    if name.lower() == "base64":
        return base64.b64encode(data).decode()
    if name.lower() not in _HASHES:
        raise extension_error(
            f"Unknown algorithm {name}. Available algorithms are:"
            " md5,sha1,sha224,sha256,sha384,sha512,sha3, and Base64."
        )
    return hashlib.new(_HASHES[name.lower()], data, usedforsecurity=False).hexdigest()


def _decode64(context: Context, this: str, arguments: list[Any]) -> str:
    text = re.sub(r"[^A-Za-z0-9+/]", "", this.replace("-", "+").replace("_", "/").split("=")[0])
    text = text[: len(text) - 1] if len(text) % 4 == 1 else text
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "replace")
    except binascii.Error:
        return ""


def _url_encode(context: Context, this: str, arguments: list[Any]) -> str:
    marks = "-_.!~*'()"
    return encode_uri(this, marks + ";/?:@&=+$,#" if truthy(argument(arguments, 0)) else marks)


def _url_decode(context: Context, this: str, arguments: list[Any]) -> str:
    return decode_uri(this, ";/?:@&=+$,#" if truthy(argument(arguments, 0)) else "")


def _extract_email(context: Context, this: str, arguments: list[Any]) -> Any:
    found = _EMAIL.search(this[:100_000])
    return found.group() if found else UNDEFINED


def _is_domain(context: Context, this: str, arguments: list[Any]) -> bool:
    return len(this) < 512 and _DOMAIN.match(this) is not None


def _extract_domain(context: Context, this: str, arguments: list[Any]) -> Any:
    email = _EMAIL.search(this[:100_000])
    if email and "://" not in this[: email.start() + 1]:
        return email.group().split("@")[1]
    url = re.search(r"(?:https?|ftp|file)://([^/\s?#:]+)", this)
    if url:
        return url.group(1)
    host = _HOST.search(this[:100_000])
    if not host:
        return UNDEFINED
    found = host.group(0)
    return found if re.search(r"[A-Za-z]", found.rsplit(".", 1)[-1]) else UNDEFINED


def _is_url(context: Context, this: str, arguments: list[Any]) -> bool:
    found = _URL.match(this)
    return found is not None and found.end() == len(this)


def _extract_url(context: Context, this: str, arguments: list[Any]) -> Any:
    found = _URL.search(this)
    return found.group() if found else UNDEFINED


def _extract_path(context: Context, this: str, arguments: list[Any]) -> Any:
    found = re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#\s]+(/[^?#\s]*)?", this)
    if not found:
        return UNDEFINED
    return found.group(1) or "/"


def _is_numeric(context: Context, this: str, arguments: list[Any]) -> bool:
    number = string_to_number(this)
    return bool(this.strip()) and " " not in this and number == number


def _to_number(context: Context, this: str, arguments: list[Any]) -> float:
    number = string_to_number(this)
    if number != number:
        raise extension_error("cannot convert to number")
    return number


def _to_int(context: Context, this: str, arguments: list[Any]) -> float:
    return parse_int(this.strip(), 10)


def _to_float(context: Context, this: str, arguments: list[Any]) -> float:
    if "," in this:
        this = this.replace(",", ".")
    return parse_float(this)


def _to_boolean(context: Context, this: str, arguments: list[Any]) -> bool:
    lowered = this.lower()
    return lowered not in ("false", "no", "") and string_to_number(this) != 0


def _to_date(context: Context, this: str, arguments: list[Any]) -> JsDate:
    ms = parse_date(this)
    if ms != ms:
        raise extension_error("cannot convert to date")
    if re.match(r"\d{4}-\d{2}-\d{2}\Z", this):
        return JsDate(ms)
    return JsDate(ms)


_UNIX = re.compile(r"(?:[+-]?\d+)(?:\.\d+)?\Z")


def read_date_time(context: Context, text: str) -> DateTime | None:
    """Any of the forms that n8n tries, keeping the zone that the text names."""
    zone: Zone = zone_of(context.scope)
    for read in (
        date_parse.from_iso,
        date_parse.from_rfc2822,
        date_parse.from_sql,
        date_parse.from_http,
    ):
        moment = read(text, zone, keep_zone=True)
        if moment.is_valid:
            return moment
    return None


def _to_date_time(context: Context, this: str, arguments: list[Any]) -> DateTime:
    form = argument(arguments, 0)
    zone = zone_of(context.scope)
    moment: DateTime | None
    if form is UNDEFINED:
        moment = read_date_time(context, this)
        if moment is None and _UNIX.match(this.strip()):
            moment = DateTime(tidy(math.floor(float(this))), zone)
        if moment is None and (ms := parse_date(this)) == ms:
            moment = DateTime(ms, zone)
    elif form in ("ms", "s", "us", "excel"):
        moment = _from_number(this, form, zone)
    else:
        moment = date_parse.from_format(this, to_string(form), zone, keep_zone=True)
    if moment is None or (form is UNDEFINED and not moment.is_valid):
        raise extension_error("cannot convert to Luxon DateTime")
    return moment


def _from_number(text: str, form: str, zone: Zone) -> DateTime | None:
    number = string_to_number(text)
    if number != number:
        return date_parse.unparsable(zone)
    if form == "excel":
        return DateTime(tidy(math.floor((number - 25569) * 86_400_000 + 0.5)), zone)
    scale = {"ms": 1, "s": 1000, "us": 1 / 1000}[form]
    return DateTime(tidy(math.floor(number * scale)), zone)


def _parse_json(context: Context, this: str, arguments: list[Any]) -> Any:
    try:
        return parse_text(this)
    except JsThrow:
        raise extension_error("Parsing failed") from None


def _quote(context: Context, this: str, arguments: list[Any]) -> str:
    mark = '"' if argument(arguments, 0) is UNDEFINED else to_string(argument(arguments, 0))
    return f"{mark}{this.replace(mark, chr(92) + mark)}{mark}"


_LETTERS = {"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "OE", "ł": "l",
            "Ł": "L", "đ": "d", "Đ": "D", "þ": "th",
            "Þ": "Th", "ð": "d", "Ð": "D", "ı": "i"}  # fmt: skip


def _replace_special(context: Context, this: str, arguments: list[Any]) -> str:
    text = "".join(_LETTERS.get(char, char) for char in this)
    plain = unicodedata.normalize("NFD", text)
    return "".join(char for char in plain if not unicodedata.combining(char))


def _remove_tags(context: Context, this: str, arguments: list[Any]) -> str:
    return re.sub(r"<[^<>]*>?", "", this)


_MARKDOWN: tuple[tuple[str, str], ...] = (
    (r"(?m)^(\s{0,8})(?:[-*+]|\d{1,9}\.)\s+", r"\1"),
    (r"\n={2,}", "\n"),
    (r"~{3}.*\n", ""),
    (r"~~", ""),
    (r"`{3}.*\n", ""),
    (r"<[^>\n]*>", ""),
    (r"(?m)^[=-]{2,}\s*$", ""),
    (r"\[\^[^\]\n]{1,80}\](?:: [^\n]*)?", ""),
    (r"!\[([^\]\n]{0,999})\][\[(][^\])\n]{0,999}[\])]", ""),
    (r"\[([^\]\n]{0,999})\][\[(][^\])\n]{0,999}[\])]", r"\1"),
    (r"(?m)^\s{0,3}>\s?", ""),
    (r"(?m)^\s{1,2}\[([^\]\n]{1,999})\]: (\S{1,999})( \"[^\n]{0,999}\")?\s*$", ""),
    (r"(?m)^#{1,6}\s{0,99}", ""),
    (r"([*_]{1,3})(\S[^\n]{0,999}?)\1", r"\2"),
    (r"(?m)^-{3,}\s*$", ""),
    (r"`([^`\n]{1,999})`", r"\1"),
    (r"\n{3,}", "\n\n"),
)


_MARKDOWN_S = 0.25


def _remove_markdown(context: Context, this: str, arguments: list[Any]) -> str:
    text = this
    try:
        for pattern, by in _MARKDOWN:
            text = regex.sub(pattern, by, text, timeout=_MARKDOWN_S)
    except TimeoutError:
        raise BudgetError("removeMarkdown() takes too long on this text") from None
    return text


def _sentence_case(context: Context, this: str, arguments: list[Any]) -> str:
    def sentence(found: "re.Match[str]") -> str:
        text = found.group()
        return text[:1].upper() + text[1:].lower()

    return re.sub(r"[^\s!?.][^!?.]*", sentence, this)


_MINOR = frozenset(
    "a an and as at but by en for if in nor of on or per the to v v. via vs vs.".split()
)


def _title_case(context: Context, this: str, arguments: list[Any]) -> str:
    words = this.split(" ")
    cased = []
    for index, word in enumerate(words):
        keep_small = word.lower() in _MINOR and 0 < index < len(words) - 1
        keep_small = keep_small or "@" in word or "." in word[:-1]
        cased.append(word if keep_small or not word else word[0].upper() + word[1:])
    return " ".join(cased)


def _snake_case(context: Context, this: str, arguments: list[Any]) -> str:
    text = re.sub(r"[\n\r\t]", " ", this)
    text = re.sub(r"[ \-]+", "_", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text))
    return re.sub(r"[^\w]", "", text).lower()


STRING: dict[str, Native] = {
    "hash": _hash,
    "removeMarkdown": _remove_markdown,
    "removeTags": _remove_tags,
    "toDate": _to_date,
    "toDateTime": _to_date_time,
    "toBoolean": _to_boolean,
    "toDecimalNumber": _to_float,
    "toFloat": _to_float,
    "toNumber": _to_number,
    "toInt": _to_int,
    "toWholeNumber": _to_int,
    "toSentenceCase": _sentence_case,
    "toSnakeCase": _snake_case,
    "toTitleCase": _title_case,
    "urlDecode": _url_decode,
    "urlEncode": _url_encode,
    "quote": _quote,
    "replaceSpecialChars": _replace_special,
    "length": lambda context, this, arguments: text_length(this),
    "isDomain": _is_domain,
    "isEmail": lambda context, this, arguments: (
        len(this) < 512 and _EMAIL_WHOLE.match(this) is not None
    ),
    "isNumeric": _is_numeric,
    "isUrl": _is_url,
    "isEmpty": lambda context, this, arguments: not this,
    "isNotEmpty": lambda context, this, arguments: bool(this),
    "toJsonString": lambda context, this, arguments: quote(this),
    "extractEmail": _extract_email,
    "extractDomain": _extract_domain,
    "extractUrl": _extract_url,
    "extractUrlPath": _extract_path,
    "parseJson": _parse_json,
    "base64Encode": lambda context, this, arguments: base64.b64encode(
        this.encode("utf-8", "replace")
    ).decode(),
    "base64Decode": _decode64,
}
