"""User code cannot get out of its worker, nor harm the host, nor reach the next step.

Every attempt runs in one pool, as the steps of a real host do; after each, a step of another
workflow must still be answered. A test skips only where the kernel lacks the layer it is about.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.sandbox_host.pool import PoolSettings, ProcessPool
from penstock.sandbox_host.settings import MIB, Limits
from penstock.subjects.messages import Outcome
from tests.security.sandbox_steps import first_json, run_code

if sys.platform != "linux":
    pytest.skip("the process tier needs Linux", allow_module_level=True)

LIMITS = Limits(data_bytes=192 * MIB, address_bytes=512 * MIB, scratch_bytes=8 * MIB)


class Sandbox:
    """A pool on an event loop of its own, driven from synchronous tests."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self.pool = ProcessPool(PoolSettings(workers_max=4, blank=1, limits=LIMITS))
        self._loop.run_until_complete(self.pool.start())
        self.javascript("return []")
        self.layers = set(self.pool.isolation.active)

    def python(self, code: str, **options: Any) -> Outcome:
        return self._run(code, language="pythonNative", **options)

    def javascript(self, code: str, **options: Any) -> Outcome:
        return self._run(code, **options)

    def _run(self, code: str, **options: Any) -> Outcome:
        return self._loop.run_until_complete(run_code(self.pool, code, **options))

    def needs(self, *layers: str) -> None:
        missing = set(layers) - self.layers
        if missing:
            reasons = {name: self.pool.isolation.missing.get(name, "") for name in missing}
            pytest.skip(f"this kernel does not give {reasons}")

    def close(self) -> None:
        self._loop.run_until_complete(self.pool.close())
        self._loop.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    made = Sandbox()
    yield made
    made.close()


@pytest.fixture
def sandbox(shared: Sandbox) -> Iterator[Sandbox]:
    """The shared pool; after each attempt another workflow's step must still succeed."""
    yield shared
    after = shared.javascript("return {fine: 1 + 1}", tenant="neighbour")
    assert first_json(after) == {"fine": 2}


def test_the_active_layers_are_reported(sandbox: Sandbox) -> None:
    report = sandbox.pool.isolation.report()

    assert {"process", "seccomp"} <= set(report["active"])
    assert report["groups"] in ("cgroup v1", "cgroup v2", "rlimits only")


def test_files_of_the_host_are_not_there(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.needs("root")
    secret = tmp_path / "secret"
    secret.write_text("canary-3141")
    tried = ["/etc/passwd", "/etc/shadow", "/root", "/home", "/var", "/proc/1/environ", str(secret)]

    found = first_json(
        sandbox.python(
            f"""
import os
readable = []
for path in {tried!r}:
    try:
        os.listdir(path) if os.path.isdir(path) else open(path).read()
        readable.append(path)
    except OSError:
        pass
return [{{"json": {{"readable": readable, "root": sorted(os.listdir("/"))}}}}]
"""
        )
    )

    assert [path for path in found["readable"] if path != "/root"] == []
    assert "proc" not in found["root"]
    assert "home" not in found["root"]


def test_nothing_outside_of_the_scratch_folder_is_writable(sandbox: Sandbox) -> None:
    sandbox.needs("root", "scratch")
    found = first_json(
        sandbox.python(
            """
import os
written = []
for folder in ["/", "/usr", "/usr/lib", "/dev", "/etc", "/scratch", *__import__("sys").path]:
    try:
        with open(os.path.join(folder, "planted"), "w") as file:
            file.write("x")
        written.append(folder)
    except OSError:
        pass
return [{"json": {"written": written}}]
"""
        )
    )

    assert found == {"written": ["/scratch"]}


def test_a_file_in_scratch_cannot_be_executed_and_a_link_leads_nowhere(sandbox: Sandbox) -> None:
    sandbox.needs("scratch")
    outcome = sandbox.python(
        """
import os, stat
open("/scratch/run", "w").write("#!/bin/sh")
os.chmod("/scratch/run", 0o755)
os.symlink("/usr", "/scratch/link")
found = []
try:
    os.execve("/scratch/run", ["run"], {})
except OSError:
    found.append("exec")
try:
    os.listdir("/scratch/link")
except OSError:
    found.append("link")
return [{"json": {"refused": found}}]
"""
    )

    assert first_json(outcome) == {"refused": ["exec", "link"]}


def test_the_environment_of_the_host_does_not_reach_user_code(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = first_json(
        sandbox.python('import os\nreturn [{"json": {"names": sorted(os.environ)}}]')
    )

    assert set(found["names"]) <= {"LANG", "TZ", "LC_CTYPE", "PYTHONDONTWRITEBYTECODE"}


@pytest.mark.parametrize(
    "family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET", "AF_VSOCK"]
)
def test_no_socket_of_any_family_can_be_made(sandbox: Sandbox, family: str) -> None:
    outcome = sandbox.python(f"import socket\nsocket.socket(socket.{family})")

    assert outcome.error is not None
    assert "not permitted" in outcome.error.message


def test_there_is_no_network_in_javascript(sandbox: Sandbox) -> None:
    outcome = sandbox.javascript("return await this.helpers.httpRequest({url: 'http://x'})")

    assert outcome.error is not None
    assert "no network access" in outcome.error.message


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ptrace", "101, 0, 1, 0, 0"),
        ("unshare", "272, 0x10000000"),
        ("setns", "308, 0, 0"),
        ("mount", "165, 0, 0, 0, 0, 0"),
        ("bpf", "321, 0, 0, 0"),
        ("keyctl", "250, 0, 0"),
        ("userfaultfd", "323, 0"),
        ("perf_event_open", "298, 0, 0, 0, 0, 0"),
        ("process_vm_readv", "310, 1, 0, 0, 0, 0, 0"),
        ("io_uring_setup", "425, 1, 0"),
        ("pidfd_open", "434, 1, 0"),
        ("open_by_handle_at", "304, 0, 0, 0"),
        ("clone3", "435, 0, 0"),
    ],
)
def test_dangerous_system_calls_are_refused(sandbox: Sandbox, name: str, arguments: str) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("the call numbers are those of x86-64")
    found = first_json(
        sandbox.python(
            f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
result = libc.syscall({arguments})
return [{{"json": {{"result": result, "errno": ctypes.get_errno()}}}}]
"""
        )
    )

    assert found["result"] == -1, name
    assert found["errno"] in (1, 38), name


def test_no_other_process_is_visible_or_can_be_signalled(sandbox: Sandbox) -> None:
    sandbox.needs("namespaces")
    found = first_json(
        sandbox.python(
            f"""
import os
refused = []
for pid in [-1, 0, 2, {os.getpid()}]:
    try:
        os.kill(pid, 9)
    except OSError:
        refused.append(pid)
return [{{"json": {{"pid": os.getpid(), "refused": len(refused)}}}}]
"""
        )
    )

    assert found == {"pid": 1, "refused": 4}


@pytest.mark.parametrize("way", ["os.fork()", "__import__('subprocess').run(['/bin/true'])"])
def test_no_process_can_be_started(sandbox: Sandbox, way: str) -> None:
    outcome = sandbox.python(f"import os\n{way}")

    assert outcome.error is not None
    assert outcome.error.name in ("PermissionError", "FileNotFoundError", "BlockingIOError")


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


def test_no_descriptor_of_the_host_is_inherited(sandbox: Sandbox) -> None:
    with socket.socket() as held:
        os.set_inheritable(held.fileno(), True)
        found = first_json(
            sandbox.python(
                """
import os
found = []
for fd in range(64):
    try:
        os.fstat(fd)
        found.append(fd)
    except OSError:
        pass
return [{"json": {"found": found}}]
"""
            )
        )

    # 0 to 2 are /dev/null, 3 is the channel.
    assert found == {"found": [0, 1, 2, 3]}


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
    outcome = sandbox._run(code, language=language, timeout_ms=300)

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
    outcome = sandbox._run(code, language=language)

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
    outcome = sandbox._run(code, language=language)

    assert outcome.error is None
    assert sum(map(len, outcome.logs or [])) < 10_000_000


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


def test_nothing_survives_the_end_of_a_worker(sandbox: Sandbox) -> None:
    sandbox.needs("namespaces")
    before = _processes_named("zygote.py")

    for _ in range(3):
        sandbox.python(
            "import threading, time\n"
            "for _ in range(5): threading.Thread(target=time.sleep, args=(600,)).start()\n"
            "time.sleep(600)",
            timeout_ms=200,
        )
    sandbox.javascript("return {}")

    assert len(_processes_named("zygote.py")) <= len(before) + 3


def _processes_named(name: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if name.encode() in line:
                found.append(entry.name)
    return found


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


@pytest.mark.parametrize(
    "name", ["fs", "child_process", "net", "node:fs", "../../etc/passwd", "vm"]
)
def test_only_harmless_modules_can_be_required(sandbox: Sandbox, name: str) -> None:
    outcome = sandbox.javascript(f"return require({name!r})")

    assert outcome.error is not None
    assert f"Module '{name}' is disallowed" in outcome.error.message


def test_python_objects_cannot_be_reached_from_javascript(sandbox: Sandbox) -> None:
    found = first_json(
        sandbox.javascript(
            """
const names = Object.getOwnPropertyNames(globalThis);
const host = names.filter((name) => /host|python|quickjs|std|os$/i.test(name));
return {host, callable: typeof globalThis.__host, std: typeof globalThis.std};
"""
        )
    )

    assert found == {"host": [], "callable": "undefined", "std": "undefined"}


def test_without_the_minimum_user_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "penstock.sandbox_host.pool.compile_filter", lambda: (None, "no libseccomp here")
    )

    async def attempt(settings: PoolSettings) -> Outcome:
        pool = ProcessPool(settings)
        await pool.start()
        try:
            return await run_code(pool, "return {ran: true}")
        finally:
            await pool.close()

    refused = asyncio.run(attempt(PoolSettings(blank=1)))
    weak = asyncio.run(attempt(PoolSettings(blank=1, allow_weak=True)))

    assert refused.error is not None
    assert "no seccomp filter (no libseccomp here)" in refused.error.message
    assert first_json(weak) == {"ran": True}


SIGNALLING = """
import ctypes, os
from penstock.sandbox_host import kernel
from penstock.sandbox_host.policy import build_filter

program = kernel.SeccompFilter(build_filter(has_own_processes=False))
libc = ctypes.CDLL(None, use_errno=True)
tgkill = {"x86_64": 234, "aarch64": 131}[os.uname().machine]
kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
program.load()
for pid in (os.getppid(), 1):
    for answer in (libc.syscall(tgkill, pid, pid, 0), libc.kill(pid, 0)):
        print(pid, answer, ctypes.get_errno())
"""


def test_where_processes_are_shared_no_other_can_be_signalled() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SIGNALLING],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )

    parent = os.getpid()
    assert ended.stdout.splitlines() == [f"{parent} -1 1"] * 2 + ["1 -1 1"] * 2, ended.stderr
