"""The engine of a worker: each program goes to the engine of its language."""

from collections.abc import Iterator
from typing import Any

from penstock.sandbox_host.javascript import JavaScript
from penstock.sandbox_host.python import Python
from penstock.sdk.call import Call
from penstock.sdk.user_code import Engine, Program


class Engines:
    """See `penstock.sdk.user_code.Engine`."""

    def __init__(self, javascript: JavaScript | None = None) -> None:
        self._by_language: dict[str, Engine] = {
            "javascript": javascript or JavaScript(),
            "python": Python(),
        }

    def run(self, call: Call, program: Program) -> Iterator[Any]:
        return self._by_language[program.language].run(call, program)
