"""The port behind which code that people wrote is run.

A node that holds user code (Code, Function) knows what its result must look like; it does not
know how the code is run. Whatever runs it, an engine in a sandbox worker, installs itself here.
In every other process nothing is installed and running user code is refused: missing means deny.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from penstock.sdk.call import Call, NodeError

Mode = Literal["all", "each", "function", "functionItem"]


@dataclass(slots=True, frozen=True)
class Program:
    """User code: `mode` says which names it sees and whether it runs once or once per item."""

    source: str
    language: Literal["javascript", "python"] = "javascript"
    mode: Mode = "all"
    dot_access: bool = False
    """Python only: items also answer to attribute access, as n8n's older Python did."""

    def runs(self, call: Call) -> range:
        """The numbers of the items for which the code runs, 0 alone when once for all."""
        return range(len(call.items) if self.mode in ("each", "functionItem") else 1)


@dataclass(slots=True, frozen=True)
class Fault:
    """An error that left user code. `line` counts from 1 in the user's text, 0: unknown."""

    message: str
    name: str = "Error"
    line: int = 0
    stack: str = ""
    description: str = ""
    is_verbatim: bool = False
    """The message is shown whole; n8n shows only a part of what JavaScript code throws."""


UNDEFINED = object()
"""The value of code that returned nothing, which is not the same as `null`."""


class Engine(Protocol):
    """Runs programs. Yields one value or `Fault` per run (`all`: one; `each`: one per item)."""

    def run(self, call: Call, program: Program) -> Iterator[Any]: ...


_engine: Engine | None = None


def install(engine: Engine) -> None:
    """Make `engine` run this process's user code. Only sandbox workers may call this."""
    global _engine  # noqa: PLW0603 - one process has one engine, as it has one sandbox
    _engine = engine


def run(call: Call, program: Program) -> Iterator[Any]:
    """Run `program` for `call`; refuse when this process is no sandbox."""
    if _engine is None:
        raise NodeError(
            "User code can only run in a sandbox",
            description="This process is not a sandbox worker, so it does not run user code.",
        )
    return _engine.run(call, program)
