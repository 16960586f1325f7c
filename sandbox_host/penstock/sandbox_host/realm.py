"""A realm: one JavaScript world in quickjs-ng, for one program, inside a sandbox worker.

Data enters and leaves as JSON text; nothing of Python is reachable but the questions in `bridge`,
which read the scope and change nothing outside this process. Most realms live for one run;
`kept_realms` says which may serve several, and `hardened` is what makes that safe.

The engine's own time limit is not used: it can be outrun, and it excludes callbacks. The limit is
the host, which kills the worker from outside.
"""

import re
import time
from typing import Any

import _quickjs
import msgspec

from penstock.sandbox_host import faults
from penstock.sandbox_host.bridge import Bridge
from penstock.sandbox_host.realm_source import MARGIN_LINES, part_source, realm_source
from penstock.sandbox_host.realm_text import decode, unreadable
from penstock.sdk.call import Call
from penstock.sdk.user_code import UNDEFINED, Fault

_MEMORY_BYTES_MAX = 128 << 20
_STACK_BYTES_MAX = 1 << 20

_NEVER = '{"e":{"name":"Error","message":"The code waits for something that never comes"}}'
_encode = msgspec.json.Encoder().encode

_CLOSED = "(() => [function(){{{}\n}}])"
"""Compiled and never called: only a text that leaves no bracket open, and closes none that it did
not open, fits between these and between those of `realm_source` too. So it cannot get out of the
function that is called anew for each run, into what a kept realm keeps."""
_FRAME = re.compile(r"    at (\S+) \((?:code:(\d+):(\d+)|native)\)")


def _text(value: Any) -> str:
    return _encode(value).decode()


class Realm:
    """One JavaScript world, set up for `mode` over a call's scope."""

    def __init__(self, call: Call, mode: str, source: str = "") -> None:
        context = _quickjs.Context()
        context.set_memory_limit(_MEMORY_BYTES_MAX)
        context.set_max_stack_size(_STACK_BYTES_MAX)
        self._context = context
        self._call = call
        self._source = source
        self._mode = mode
        self._given: tuple[Any, ...] = ()
        self._user: Any = None
        self.has_waited = False
        """Whether a result was promised, so that jobs of the engine ran."""
        self._bridge = Bridge(call, source=source, part=part_source)
        context.add_callable("__host", self._bridge.answer)

    def define(self, text: str, *, is_async: bool = True, is_kept: bool = False) -> Fault | None:
        """Make `text` the body of the function that `evaluate` calls; harden what is kept first."""
        parts = realm_source(self._source, self._mode, is_async)
        context = self._context
        self._enter = enter = context.eval(parts.core)
        try:
            if parts.other:
                enter("define", parts.other)
            if is_kept:
                enter("harden")
                self.script(_CLOSED.format(text))
            self._user = context.eval(f"{parts.head}{text}{parts.tail}")
        except (_quickjs.JSException, _quickjs.StackOverflow) as error:
            return _syntax_fault(str(error))
        except ValueError:
            message, line = unreadable(text)
            return Fault(message, name="SyntaxError", line=line)
        self._given = _text(self._call.items), self._user
        return None

    def script(self, text: str) -> Any:
        """The value of a script of ours in this realm."""
        return self._context.eval(text)

    def take(self, call: Call) -> None:
        """Serve another run of the same program."""
        self._call = call
        self._bridge.serve(call)
        self._given = _text(call.items), self._user

    @property
    def given(self) -> str:
        """The items as the next run gets them."""
        return str(self._given[0])

    @property
    def is_pristine(self) -> bool:
        """Whether a hardened realm is as it was before its last run."""
        return not (
            self.has_waited or self._context.execute_pending_job() or self._enter("harden", "check")
        )

    def evaluate(self, index: int) -> Any:
        """Call the function for item `index`: its value, `UNDEFINED`, or a `Fault`."""
        given, self._given = self._given, ()
        try:
            answer = self._enter(index, *given)
            return self._result(answer or self._settle())
        except (_quickjs.JSException, _quickjs.StackOverflow) as error:
            return Fault(str(error).partition("\n")[0])
        except (UnicodeDecodeError, msgspec.DecodeError) as error:
            # `JSON.rawJSON` writes what no other value does.
            return Fault(f"The code's result cannot be stored: {error}")

    def _settle(self) -> str:
        """Run promises and timers until the user's promise is settled."""
        context, enter = self._context, self._enter
        self.has_waited = True
        while True:
            while context.execute_pending_job():
                pass
            answer = enter("later", "take")
            if answer:
                return str(answer)
            wait_ms = enter("later", "timers")
            if wait_ms < 0:
                return _NEVER
            if wait_ms:
                time.sleep(wait_ms / 1000)

    def _result(self, text: str) -> Any:
        result = decode(text)
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
        line=max(int(line) - MARGIN_LINES, 0) if line.isdigit() else 0,
    )
