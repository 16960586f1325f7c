"""Finds the command's module and runs it. Imports nothing that takes time before that."""

import sys
from contextlib import nullcontext
from importlib import import_module
from io import TextIOWrapper

COMMANDS = {
    "up": ("penstock.cli.up", "start everything on this machine"),
    "status": ("penstock.cli.status", "show programs, partitions, streams and sandbox hosts"),
    "roll": ("penstock.cli.roll", "restart brokers or other programs, one at a time"),
    "chaos": ("penstock.cli.chaos", "kill programs of this installation, and see nothing lost"),
    "doctor": ("penstock.cli.doctor", "check machine and installation, and say what to do"),
    "import": ("penstock.cli.import_workflows", "import workflow documents"),
    "workflows": ("penstock.cli.workflows", "list, activate and deactivate workflows"),
    "executions": ("penstock.cli.executions", "list executions, or show one"),
    "tap": ("penstock.cli.tap", "watch executions live"),
    "dead": ("penstock.cli.dead", "show messages in quarantine, or send one again"),
    "run": ("penstock.cli.run", "execute a workflow document without a server"),
    "test": ("penstock.cli.test", "run workflow documents and compare with what is expected"),
    "gateway": ("penstock.cli.programs", "run a gateway alone"),
    "actors": ("penstock.cli.programs", "run an actor host alone"),
    "sandbox-host": ("penstock.cli.programs", "run a sandbox host alone"),
    "projector": ("penstock.cli.programs", "run a projector alone"),
}

EXAMPLES = """\
examples:
  penstock up --demo                          start everything and watch a sample run
  penstock up --data ./data --listen 127.0.0.1:8080
  penstock import my-workflow.json --activate
  penstock executions --status error
  penstock run my-workflow.json               needs no server

Clients find their server by --data DIR, or by PENSTOCK_URL and PENSTOCK_TOKEN.
`penstock COMMAND --help` tells more."""


def usage() -> str:
    """What `penstock --help` says."""
    lines = [f"  {name:<14}{about}" for name, (_, about) in COMMANDS.items()]
    return "\n".join(["usage: penstock COMMAND [OPTIONS]", "", "commands:", *lines, "", EXAMPLES])


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit status of the process."""
    try:
        return _main(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:  # at any time, while modules are loaded too
        return 130


def _main(words: list[str]) -> int:
    _degrade_characters()
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage(), file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    if words[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"penstock {version('penstock')}")
        return 0
    if words[0] not in COMMANDS:
        print(f"penstock: there is no command {words[0]!r}; see penstock --help", file=sys.stderr)
        return 2
    return _run(words[0], words[1:])


def _run(command: str, rest: list[str]) -> int:
    module_name = COMMANDS[command][0]
    arguments = [command, *rest] if module_name == "penstock.cli.programs" else rest
    from penstock.subjects.errors import PenstockError
    from penstock.subjects.hidden import hidden

    try:
        # `up` stands for weeks and speaks with nobody over TLS, which is 5 MB of asyncio.
        with hidden("ssl") if command == "up" else nullcontext():
            module = import_module(module_name)
        status: int = module.main(arguments)
    except PenstockError as error:
        print(f"penstock {command}: {error.message}", file=sys.stderr)
        if error.remedy:
            print(f"  {error.remedy}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"penstock {command}: {error.filename}: permission denied", file=sys.stderr)
        print("  run it as the user who owns that, or give another path", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of our output went away (`penstock … | head`); that is its right.
        sys.stderr.close()
        return 1
    return status


def _degrade_characters() -> None:
    """Show `?` for what a terminal's encoding does not have, rather than fail over a bullet."""
    for out in (sys.stdout, sys.stderr):
        if isinstance(out, TextIOWrapper):
            out.reconfigure(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
