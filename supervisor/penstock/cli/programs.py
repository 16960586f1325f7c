"""`penstock gateway | actors | sandbox-host | projector`: one program alone.

In production each runs in a container of its own, told by the environment where the others are
(`PENSTOCK_NATS_URL`, …). The process becomes the program, so that its command line names it.
"""

import os
import sys

from penstock.cli.arguments import parser
from penstock.subjects.config import Config

_PROGRAMS = {
    "gateway": ("a gateway", "gateway", "penstock.gateway"),
    "actors": ("an actor host", "actors", "penstock.actors"),
    "sandbox-host": ("a sandbox host", "sandbox", "penstock.sandbox_host"),
    "projector": ("a projector", "projector", "penstock.actors.projector"),
}
"""Each with what it is, the NATS user that it is, and its module."""


def main(argv: list[str]) -> int:
    """Check the surroundings, then become the program."""
    command, *rest = argv
    what, user, module = _PROGRAMS[command]
    parser(
        command,
        f"Run {what} alone, with the surroundings that PENSTOCK_… variables name.",
        examples=f"  PENSTOCK_NATS_URL=nats://127.0.0.1:4222 PENSTOCK_NATS_USER={user} \\\n"
        f"  PENSTOCK_NATS_PASSWORD=… penstock {command}\n"
        f"  (`penstock up` sets them and starts every program)",
    ).parse_args(rest)
    Config.from_env()
    os.execv(sys.executable, [sys.executable, "-m", module])
