"""The number of an output, as a parameter or an expression gives it."""

from typing import Any

from penstock.sdk.call import NodeError
from penstock.workflow.expressions.convert import to_number, to_string


def output_index(output: Any, count: int, item: int) -> int:
    """`output` as the index of one of `count` outputs; raises when it is none of them."""
    number = to_number(output) if isinstance(output, int | float | str) else -1
    if isinstance(output, bool) or not 0 <= number < count or number != int(number):
        text, last = to_string(output), count - 1
        raise NodeError(
            f"The ouput {text} is not allowed. It has to be between 0 and {last}!", item=item
        )
    return int(number)
