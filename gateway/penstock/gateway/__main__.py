"""`python -m penstock.gateway`: see `program`."""

import sys

import uvloop

from penstock.gateway.program import run
from penstock.subjects import logs
from penstock.subjects.collecting import collect_rarely
from penstock.subjects.config import Config
from penstock.subjects.errors import PenstockError


def main() -> int:
    """Run a gateway with the settings of the environment; the exit status."""
    logs.configure(program="gateway")
    try:
        config = Config.from_env()
        logs.set_level(config.log_level)
        collect_rarely()
        uvloop.run(run(config))
    except PenstockError as error:
        logs.failed(error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
