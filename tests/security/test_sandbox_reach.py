"""User code reaches no file, socket, process, secret or descriptor of the host.

Each attempt is made by code in a worker, with the system calls and modules that would serve.
"""

import os
import socket
from pathlib import Path

import pytest

from tests.security.attacked_pool import Sandbox, needs_linux
from tests.security.sandbox_steps import first_json

pytestmark = needs_linux


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
