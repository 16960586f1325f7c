"""User code gets only so much: memory, disk, files, threads, time, results and logs.

Code that wants more without end is refused or ended, and its step gets an error.
"""

import pytest

from tests.security.attacked_pool import Sandbox, needs_linux
from tests.security.sandbox_steps import first_json

pytestmark = needs_linux


@pytest.mark.parametrize(
    "code",
    [
        "x = bytearray(1 << 30)",
        "x = []\nwhile True: x.append('y' * 1_000_000)",
        "import mmap\nx = []\nwhile True:\n  x.append(mmap.mmap(-1, 1 << 24))\n"
        "  x[-1].write(b'x' * (1 << 24))",
    ],
)
def test_memory_is_bounded_in_python(sandbox: Sandbox, code: str) -> None:
    outcome = sandbox.python(code)

    assert outcome.error is not None
    assert outcome.outputs is None


def test_memory_is_bounded_in_javascript(sandbox: Sandbox) -> None:
    outcome = sandbox.javascript("const a = []; for (;;) a.push('x'.repeat(1e6) + a.length)")

    assert outcome.error is not None
    assert "memory" in outcome.error.message


def test_disk_is_bounded(sandbox: Sandbox) -> None:
    sandbox.needs("scratch")
    outcome = sandbox.python(
        """
import errno
try:
    with open("big", "wb") as file:
        for _ in range(100):
            file.write(b"x" * (1 << 20))
    reason = 0
except OSError as error:
    reason = error.errno
return [{"json": {"is_bounded": reason in (errno.ENOSPC, errno.EFBIG)}}]
"""
    )

    assert first_json(outcome) == {"is_bounded": True}


def test_open_files_are_bounded(sandbox: Sandbox) -> None:
    outcome = sandbox.python("x = []\nwhile True: x.append(open('/dev/null'))")

    assert outcome.error is not None
    assert "Too many open files" in outcome.error.message


def test_threads_work_but_only_so_many(sandbox: Sandbox) -> None:
    outcome = sandbox.python(
        """
import threading, time
started = 0
try:
    for _ in range(500):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        started += 1
except RuntimeError:
    pass
return [{"json": {"started": started}}]
"""
    )

    assert 1 <= first_json(outcome)["started"] < 500


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("javaScript", "for (;;) {}"),
        ("javaScript", "await new Promise(() => setInterval(() => {}, 10))"),
        ("javaScript", "/(a+)+$/.test('a'.repeat(40) + 'b'); for (;;) {}"),
        ("pythonNative", "while True: pass"),
        ("pythonNative", "import time; time.sleep(60)"),
        (
            "pythonNative",
            "import signal\nsignal.pthread_sigmask(0, range(1, 60))\nwhile True: pass",
        ),
        ("pythonNative", "while True:\n  try:\n    while True: pass\n  except BaseException: pass"),
    ],
)
def test_endless_code_is_ended_from_outside(sandbox: Sandbox, language: str, code: str) -> None:
    outcome = sandbox.run(code, language=language, timeout_ms=300)

    assert outcome.error is not None
    assert outcome.error.message == "Code execution timed out after 0.3 s"


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("javaScript", "return {a: 'x'.repeat(50e6)}"),
        ("pythonNative", "return [{'json': {'a': 'x' * 50_000_000}}]"),
    ],
)
def test_a_huge_result_is_refused(sandbox: Sandbox, language: str, code: str) -> None:
    outcome = sandbox.run(code, language=language)

    assert outcome.outputs is None
    assert outcome.error is not None


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("javaScript", "for (let i = 0; i < 1e5; i++) console.log('x'.repeat(1000)); return {}"),
        ("pythonNative", "for i in range(100_000): print('x' * 1000)\nreturn [{'json': {}}]"),
    ],
)
def test_endless_logs_are_cut(sandbox: Sandbox, language: str, code: str) -> None:
    outcome = sandbox.run(code, language=language)

    assert outcome.error is None
    assert sum(map(len, outcome.logs or [])) < 10_000_000
