"""JavaScript that people wrote, in quickjs-ng, inside a sandbox worker.

Each run gets a realm of its own: a fresh engine with our prelude, so no run can leave anything
behind for the next. Data enters and leaves as JSON text; nothing of Python is reachable but the
questions in `bridge`, which read the scope and change nothing outside this process.

The engine's own time limit is not used: it can be outrun, and it excludes callbacks. The limit is
the host, which kills the worker from outside.
"""

import re
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import _quickjs
import msgspec

from penstock.sandbox_host import faults
from penstock.sandbox_host.bridge import Bridge
from penstock.sandbox_host.names import names_of
from penstock.sdk.call import Call
from penstock.sdk.user_code import UNDEFINED, Fault, Program

_MEMORY_BYTES_MAX = 128 << 20
_STACK_BYTES_MAX = 1 << 20
_MARGIN_LINES = 1000
_MARGIN = "\n" * _MARGIN_LINES
"""Stands before the user's text: the engine names all sources alike, so that lines below this
number are the prelude's and all others the user's."""
_PRELUDE = Path(__file__).with_name("prelude")

_NEVER = '{"e":{"name":"Error","message":"The code waits for something that never comes"}}'
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@cache
def part_source(name: str) -> str:
    """The source of a prelude part; names come from our own prelude, never from a path."""
    assert name.isidentifier()
    return (_PRELUDE / f"{name}.js").read_text()


_FRAME = re.compile(r"    at (\S+) \((?:code:(\d+):(\d+)|native)\)")


def _text(value: Any) -> str:
    return _encode(value).decode()


class Realm:
    """One fresh JavaScript world, set up for `mode` over a call's scope."""

    def __init__(self, call: Call, mode: str, source: str = "") -> None:
        context = _quickjs.Context()
        context.set_memory_limit(_MEMORY_BYTES_MAX)
        context.set_max_stack_size(_STACK_BYTES_MAX)
        self._context = context
        self._call = call
        self._source = source
        bridge = Bridge(call, source=source, part=part_source)
        context.add_callable("__host", bridge.answer)
        self._enter = context.eval(part_source("core"))
        self._names = names_of(source, mode)
        self._enter("boot", _text([mode, self._names.input]), _text(call.items))
        if self._names.other:
            self._enter("define", _text(self._names.other), "")

    def define(self, source: str, *, is_async: bool = True) -> Fault | None:
        """Make `source` the body of the function that `evaluate` calls."""
        kind = "async function" if is_async else "function"
        try:
            names = ",".join(self._names.input)
            user = self._context.eval(
                f"{_MARGIN}(function({names}){{return {kind}(){{{source}\n}}}})"
            )
            self._enter("user", user, "")
        except (_quickjs.JSException, _quickjs.StackOverflow) as error:
            return _syntax_fault(str(error))
        return None

    def evaluate(self, index: int) -> Any:
        """Call the function for item `index`: its value, `UNDEFINED`, or a `Fault`."""
        try:
            answer = self._enter("call", index, "")
            return self._result(answer or self._settle())
        except (_quickjs.JSException, _quickjs.StackOverflow) as error:
            return Fault(str(error).partition("\n")[0])

    def _settle(self) -> str:
        """Run promises and timers until the user's promise is settled."""
        context, enter = self._context, self._enter
        while True:
            while context.execute_pending_job():
                pass
            answer = enter("take", 0, "")
            if answer:
                return str(answer)
            wait_ms = enter("timers", 0, "")
            if wait_ms < 0:
                return _NEVER
            if wait_ms:
                time.sleep(wait_ms / 1000)

    def _result(self, text: str) -> Any:
        result = _decode(text)
        if "l" in result:
            self._call.logs.extend(result["l"])
        if "e" in result:
            return self._fault(result["e"])
        return result.get("v", UNDEFINED)

    def _fault(self, error: dict[str, Any]) -> Fault:
        stack = error.get("stack", "")
        return Fault(
            message=error["message"],
            name=error["name"],
            line=self._line(stack, error["name"]),
            stack="\n".join(line for line in stack.splitlines() if "(native)" not in line),
            description=error.get("description", ""),
            is_verbatim=error.get("ours", False),
        )

    def _line(self, stack: str, kind: str) -> int:
        """The user's line in a stack. A call of a built-in (or the making of an error of this
        `kind`) counts where its name stands: the engine gives the place of its last argument."""
        called = kind
        for name, line, column in _FRAME.findall(stack):
            if line:
                return faults.call_line(self._source, called, line=int(line), column=int(column))
            called = name
        return 0


def _syntax_fault(text: str) -> Fault:
    """The engine's report: `SyntaxError: words`, then `    at <input>:line:column`."""
    head, _, rest = text.partition("\n")
    line = rest.partition("<input>:")[2].partition(":")[0]
    name, _, message = head.partition(": ")
    return Fault(
        message=message or head,
        name=name if message else "SyntaxError",
        line=max(int(line) - _MARGIN_LINES, 0) if line.isdigit() else 0,
    )


class JavaScript:
    """The engine for programs in JavaScript."""

    def run(self, call: Call, program: Program) -> Iterator[Any]:
        """See `penstock.sdk.user_code.Engine`."""
        realm = Realm(call, program.mode, program.source)
        fault = realm.define(program.source)
        if fault is not None:
            yield fault
            return
        count = len(call.items) if program.mode in ("each", "functionItem") else 1
        for index in range(count):
            yield realm.evaluate(index)
