"""Which layers stand between user code and the host is told, and too few run no user code.

The filter of system calls also holds alone, where a kernel gives no namespaces.
"""

import asyncio
import os
import subprocess
import sys

import pytest

from penstock.sandbox_host.pool import PoolSettings, ProcessPool
from penstock.subjects.messages import Outcome
from tests.security.attacked_pool import Sandbox, needs_linux
from tests.security.sandbox_steps import first_json, run_code

pytestmark = needs_linux


def test_the_active_layers_are_reported(sandbox: Sandbox) -> None:
    report = sandbox.pool.isolation.report()

    assert {"process", "seccomp"} <= set(report["active"])
    assert report["groups"] in ("cgroup v1", "cgroup v2", "rlimits only")


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
