"""An errand: a program that runs once, to its end, and that somebody waits for.

What is needed for a moment only (the tools of a database, a connection to the broker) is done by a
process of its own, and costs the supervisor, which stands for weeks, nothing afterwards.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence

from penstock.subjects.errors import PenstockError
from penstock.supervisor.linux import die_with_parent

_TOLD_MAX = 500


class ErrandFailedError(PenstockError):
    """It could not be started, or ended with another status than 0; says what it said."""


async def run_errand(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    prepare: Callable[[], None] | None = None,
) -> None:
    """Run a program to its end. `env` is added to ours, `prepare` runs between fork and exec.

    Cancelled, it kills the program; on Linux the program dies with us as well.
    """
    dies_with_us = die_with_parent(signal.SIGKILL)

    def in_child() -> None:
        if prepare is not None:
            prepare()
        # Last, since changing credentials clears it.
        dies_with_us()

    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env={**os.environ, **(env or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=in_child,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ErrandFailedError(f"cannot be started: {error}") from error
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode != 0:
        said = output.decode("utf-8", "replace").strip()[-_TOLD_MAX:]
        raise ErrandFailedError(said or f"it ended with status {process.returncode}")
