"""`penstock gateway | actors | sandbox-host | projector`: one program alone.

In production each runs in a container of its own, told by the environment where the others are
(`PENSTOCK_NATS_URL`, …). The process becomes the program, so that its command line names it.
"""

import os
import sys

from penstock.cli.arguments import parser
from penstock.subjects.config import Config

_MODULES = {
    "gateway": "penstock.gateway",
    "actors": "penstock.actors",
    "sandbox-host": "penstock.sandbox_host",
    "projector": "penstock.actors.projector",
}


def main(argv: list[str]) -> int:
    """Check the surroundings, then become the program."""
    command, *rest = argv
    parser(
        command,
        f"Run one {command} with the surroundings that PENSTOCK_… variables name.",
        examples="  PENSTOCK_NATS_URL=nats://127.0.0.1:4222 PENSTOCK_NATS_USER=gateway \\\n"
        f"  PENSTOCK_NATS_PASSWORD=… penstock {command}\n"
        f"  (`penstock up` sets them and starts every program)",
    ).parse_args(rest)
    Config.from_env()
    os.execv(sys.executable, [sys.executable, "-m", _MODULES[command]])
