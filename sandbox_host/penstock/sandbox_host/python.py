"""Python that people wrote, inside a sandbox worker: the only place where `exec` is legal.

Each run gets fresh globals. The interpreter's modules are shared by the runs of one worker, whose
steps all belong to the same tenant and the same version of the same workflow.
"""

import builtins
import io
import textwrap
import traceback
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import msgspec

from penstock.sandbox_host.python_names import StaticData, names_of, plain
from penstock.sdk.call import Call
from penstock.sdk.user_code import UNDEFINED, Fault, Program

_FILE = "<code>"
_LINES_MAX = 1_000
_LOG_CHARACTERS_MAX = 1_000_000
_builtins = dict(vars(builtins))
_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder().decode


class Python:
    """The engine for programs in Python."""

    def run(self, call: Call, program: Program) -> Iterator[Any]:
        """See `penstock.sdk.user_code.Engine`."""
        try:
            code = _compile(program.source)
        except SyntaxError as error:
            line = max((error.lineno or 1) - 1, 0)
            yield Fault(error.msg, name=type(error).__name__, line=line)
            return
        count = len(call.items) if program.mode == "each" else 1
        for index in range(count):
            yield _run_once(code, call, program, index)


def _compile(source: str) -> Any:
    """`source` as the body of a function, so that it may `return`; line 1 is our `def`."""
    body = textwrap.indent(source.strip("\n") or "pass", " ", lambda line: True)
    return compile(f"def _main():\n{body}\n", _FILE, "exec")


def _run_once(code: Any, call: Call, program: Program, index: int) -> Any:
    out = _Log()
    static = StaticData(call.scope)
    names = names_of(call, program, index, static)
    names["__builtins__"] = dict(_builtins)
    names["__name__"] = "__main__"
    try:
        with redirect_stdout(out), redirect_stderr(out):
            exec(code, names)
            value = names["_main"]()
        static.keep()
        return _result(value)
    except MemoryError:
        return Fault("The code used more memory than a sandbox may", name="MemoryError")
    except BaseException as error:
        return _fault(error)
    finally:
        call.logs.extend(out.lines())


def _result(value: Any) -> Any:
    """The value as JSON has it: what travels is data, and a copy."""
    if value is None:
        return UNDEFINED
    return _decode(_encode(plain(value)))


def _fault(error: BaseException) -> Fault:
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__, 50)
        if frame.filename == _FILE and frame.name != "<module>"
    ]
    line = (frames[-1].lineno or 1) - 1 if frames else 0
    stack = "\n".join(f"  line {(frame.lineno or 1) - 1}, in {frame.name}" for frame in frames)
    try:
        message = str(error)
    except Exception:
        message = "an error that cannot be shown"
    name = type(error).__name__
    stack = stack.replace("_main", "<code>")
    return Fault(_storable(message or name), name, line, stack, is_verbatim=True)


def _storable(text: str) -> str:
    """The text as messages, which are UTF-8, can hold it: half a surrogate pair becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class _Log(io.TextIOBase):
    """What the code prints, bounded."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0

    def write(self, text: str) -> int:
        if self._size < _LOG_CHARACTERS_MAX:
            self._pieces.append(text[: _LOG_CHARACTERS_MAX - self._size])
            self._size += len(text)
        return len(text)

    def lines(self) -> list[str]:
        return _storable("".join(self._pieces)).splitlines()[:_LINES_MAX]
