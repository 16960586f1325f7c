"""The pool in which attempts to get out of a worker run, as the steps of a real host do.

A test skips only where the kernel lacks the layer it is about: see `Sandbox.needs`.
"""

import asyncio
import sys
from typing import Any

import pytest

from penstock.sandbox_host.pool import PoolSettings, ProcessPool
from penstock.sandbox_host.settings import MIB, Limits
from penstock.subjects.messages import Outcome
from tests.security.sandbox_steps import run_code

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="the process tier needs Linux")
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
        """The outcome of Python code; options: of `run_code`."""
        return self.run(code, language="pythonNative", **options)

    def javascript(self, code: str, **options: Any) -> Outcome:
        """The outcome of JavaScript code; options: of `run_code`."""
        return self.run(code, **options)

    def run(self, code: str, **options: Any) -> Outcome:
        """The outcome of code in the language that `options` name."""
        return self._loop.run_until_complete(run_code(self.pool, code, **options))

    def needs(self, *layers: str) -> None:
        """Skip the test where this kernel lacks one of these layers."""
        missing = set(layers) - self.layers
        if missing:
            reasons = {name: self.pool.isolation.missing.get(name, "") for name in missing}
            pytest.skip(f"this kernel does not give {reasons}")

    def close(self) -> None:
        """End all workers."""
        self._loop.run_until_complete(self.pool.close())
        self._loop.close()
