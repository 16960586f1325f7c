"""Values that JSON can hold and our messages cannot."""

from typing import Any


def with_floats(value: Any) -> Any:
    """`value` with integers beyond 64 bits as floats (`None` beyond those, as JSON has no
    infinity), which is what JavaScript would have read."""
    if isinstance(value, dict):
        return {key: with_floats(child) for key, child in value.items()}
    if isinstance(value, list):
        return [with_floats(child) for child in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        try:
            return float(value)
        except OverflowError:
            return None
    return value
