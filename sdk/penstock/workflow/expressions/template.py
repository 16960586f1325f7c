"""Splitting a parameter string into literal text and code.

`=` in front makes a string a template: text with `{{ code }}` parts. A backslash before `{{` keeps
both characters as text; a `}}` inside of a string literal of the code does end the part.
"""

from typing import NamedTuple


class Part(NamedTuple):
    """A piece of a template: literal text, or the code between `{{` and `}}`."""

    is_code: bool
    text: str


def split(template: str) -> list[Part]:
    """The parts of a template (without its `=`), empty texts left out."""
    parts: list[Part] = []
    position, is_code, pending = 0, False, ""
    while True:
        found = template.find("}}" if is_code else "{{", position)
        if found < 0:
            parts.append(Part(is_code, pending + template[position:]))
            break
        if found > position and template[found - 1] == "\\":
            pending += template[position : found + 2]
            position = found + 2
            continue
        text = pending + template[position:found]
        parts.append(Part(is_code, text.replace("\\}}", "}}") if is_code else text))
        position, is_code, pending = found + 2, not is_code, ""
    return [part for part in parts if part.is_code or part.text]
