"""User code harms no other step, whatever it leaves behind and whatever it forges.

Neither the next run of a worker nor another tenant finds any of it, and whoever writes to the
worker's channel loses that worker and nothing else.
"""

import contextlib
from pathlib import Path

import psutil
import pytest

from tests.security.attacked_pool import Sandbox, needs_linux
from tests.security.sandbox_steps import first_json

pytestmark = needs_linux


def test_one_run_leaves_nothing_for_the_next_in_javascript(sandbox: Sandbox) -> None:
    code = (
        "const before = [typeof leaked, typeof [].leaked, JSON.stringify(1)];"
        "globalThis.leaked = 1; leaked = 2; Array.prototype.leaked = 3;"
        "JSON.stringify = () => 'stolen';"
        "return {before}"
    )

    seen = [first_json(sandbox.javascript(code))["before"] for _ in range(3)]

    assert seen == [["undefined", "undefined", "1"]] * 3


def test_one_run_leaves_no_globals_for_the_next_in_python(sandbox: Sandbox) -> None:
    code = (
        "import builtins\n"
        "before = 'leaked' in globals() or 'leaked' in __builtins__\n"
        "globals()['leaked'] = 1\n"
        "__builtins__['leaked'] = 2\n"
        "return [{'json': {'before': before}}]"
    )

    seen = [first_json(sandbox.python(code))["before"] for _ in range(3)]

    assert seen == [False] * 3


def test_tenants_never_share_a_worker(sandbox: Sandbox) -> None:
    sandbox.needs("scratch")
    code = (
        "import os\n"
        "found = os.path.exists('/scratch/mine')\n"
        "open('/scratch/mine', 'w').close()\n"
        "return [{'json': {'found': found}}]"
    )

    mine = first_json(sandbox.python(code, tenant="one"))
    theirs = first_json(sandbox.python(code, tenant="two"))

    assert (mine, theirs) == ({"found": False}, {"found": False})


def test_nothing_survives_the_end_of_a_worker(sandbox: Sandbox) -> None:
    sandbox.needs("namespaces")
    before = _workers()

    for _ in range(3):
        sandbox.python(
            "import threading, time\n"
            "for _ in range(5): threading.Thread(target=time.sleep, args=(600,)).start()\n"
            "time.sleep(600)",
            timeout_ms=200,
        )
    sandbox.javascript("return {}")

    assert len(_workers()) <= len(before) + 3


def _workers() -> list[int]:
    """The processes that descend from this one and come from the sandbox's fork server."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if any("zygote.py" in word for word in process.cmdline()):
                found.append(process.pid)
    return found


@pytest.mark.parametrize(
    "frame",
    [
        "b'\\xff\\xff\\xff\\xff'",
        "b'\\x05\\x00\\x00\\x00hello'",
        "b'\\x01\\x00\\x00\\x00\\xc0'",
        "__import__('struct').pack('<I', 9) + b'cos\\nsyste'",
        "__import__('msgspec').msgpack.encode(['ready', []])",
    ],
)
def test_forged_frames_lose_the_worker_and_nothing_else(sandbox: Sandbox, frame: str) -> None:
    outcome = sandbox.python(
        f"""
import os, time
frame = {frame}
if frame[:1] != b'\\xff' and not frame.startswith((b'\\x05', b'\\x01', b'\\x28')):
    frame = len(frame).to_bytes(4, 'little') + frame
os.write(3, frame)
time.sleep(30)
"""
    )

    assert outcome.error is not None
    assert "sandbox ended the code" in outcome.error.message
    assert not Path("/tmp/pwned").exists()


def test_a_forged_result_for_another_step_is_not_believed(sandbox: Sandbox) -> None:
    forged = sandbox.python(
        """
import os, msgspec, time
for ticket in range(2, 200):
    body = msgspec.msgpack.encode(["done", ticket, [[[{"json": {"forged": True}}]]], 1])
    os.write(3, len(body).to_bytes(4, "little") + body)
time.sleep(30)
"""
    )

    assert forged.error is not None
    assert forged.outputs is None
