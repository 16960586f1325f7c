"""Numbers as JavaScript has them: printing, parsing, wrapping to 32 bits.

Integers stay Python ints while they are safe (|n| <= 2^53), everything else is a float. Integers
from JSON beyond that range pass through unharmed, which JavaScript could not do.
"""

import math
import re
from typing import Any

MAX_SAFE = 9007199254740991
_NUMERIC = re.compile(
    r"(?:[+-]?(?:Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+)\Z"
)
_FLOAT_PREFIX = re.compile(r"[+-]?(?:Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
SPACE = (
    " \t\n\v\f\r\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""What `trim` and number parsing take for white space."""
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def tidy(number: float) -> float:
    """The same number, as an int when it is a safe integer (but never -0)."""
    if number == number and -MAX_SAFE <= number <= MAX_SAFE:
        whole = int(number)
        if whole == number and (whole or math.copysign(1.0, number) > 0):
            return whole
    return float(number)


def number_to_string(value: float) -> str:
    """JavaScript's `Number.prototype.toString()`."""
    if type(value) is int:
        return str(value) if -(10**21) < value < 10**21 else number_to_string(float(value))
    if value != value:
        return "NaN"
    if value in (math.inf, -math.inf):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    if value == int(value) and abs(value) < 1e21:
        # Shortest digits, padded with zeros: int(value) would print digits that are not there.
        return _plain(value)
    return _shortest(value)


def _split(value: float) -> tuple[str, str, int]:
    """Sign, shortest digits, and the exponent n of `0.digits * 10^n`."""
    text = repr(float(value))
    sign = "-" if text[0] == "-" else ""
    mantissa, _, exponent = text.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    digits = (whole + fraction).lstrip("0")
    leading = len(whole + fraction) - len(digits)
    point = len(whole) - leading + int(exponent or 0)
    return sign, digits.rstrip("0") or "0", point


def _plain(value: float) -> str:
    sign, digits, point = _split(value)
    return sign + digits.ljust(point, "0")


def _shortest(value: float) -> str:
    sign, digits, point = _split(value)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    exponent = point - 1
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{'+' if exponent > 0 else '-'}{abs(exponent)}"


def string_to_number(text: str) -> float:
    """JavaScript's `Number(text)`."""
    text = text.strip(SPACE)
    if not text:
        return 0
    if not _NUMERIC.match(text):
        return math.nan
    if text.isdigit() and len(text) < 16:
        return int(text)
    lowered = text[:2].lower()
    if lowered in ("0x", "0o", "0b"):
        return tidy(float(int(text, 0)))
    return tidy(float(text.replace("Infinity", "inf")))


def parse_float(text: str) -> float:
    """JavaScript's `parseFloat`: the longest numeric prefix."""
    found = _FLOAT_PREFIX.match(text.lstrip(SPACE))
    return tidy(float(found.group().replace("Infinity", "inf"))) if found else math.nan


def parse_int(text: str, radix: int) -> float:
    """JavaScript's `parseInt`; radix 0 means 10, or 16 after `0x`."""
    text = text.lstrip(SPACE)
    sign = -1 if text[:1] == "-" else 1
    text = text.lstrip("+-") if text[:1] in "+-" and text[1:2] not in ("+", "-") else text
    if radix in (0, 16) and text[:2].lower() == "0x":
        text, radix = text[2:], 16
    radix = radix or 10
    if not 2 <= radix <= 36:
        return math.nan
    allowed = _DIGITS[:radix]
    size = 0
    for char in text.lower():
        if char not in allowed:
            break
        size += 1
    if not size or size > 4000:
        return math.nan
    return tidy(float(sign * int(text[:size], radix))) if size < 300 else math.inf * sign


def to_int32(value: float) -> int:
    """Wrap to a signed 32-bit integer (operands of bitwise operators)."""
    unsigned = to_uint32(value)
    return unsigned - 0x100000000 if unsigned & 0x80000000 else unsigned


def to_uint32(value: float) -> int:
    """Wrap to an unsigned 32-bit integer."""
    if value != value or value in (math.inf, -math.inf):
        return 0
    return int(value) & 0xFFFFFFFF


def to_radix(value: float, radix: int) -> str:
    """`Number.prototype.toString(radix)` for radixes other than 10."""
    if value != value or value in (math.inf, -math.inf):
        return number_to_string(value)
    whole, fraction = int(abs(value)), abs(value) - int(abs(value))
    digits = ""
    while whole:
        whole, rest = divmod(whole, radix)
        digits = _DIGITS[rest] + digits
    text = ("-" if value < 0 else "") + (digits or "0")
    if not fraction:
        return text
    text += "."
    for _ in range(52):
        fraction *= radix
        text += _DIGITS[int(fraction)]
        fraction -= int(fraction)
        if not fraction:
            break
    return text


def is_number(value: Any) -> bool:
    """Whether `value` is a JavaScript number (a bool is not)."""
    kind = type(value)
    return kind is int or kind is float
