"""`python -m penstock.gateway`: see `program`."""

import sys

import uvloop

from penstock.gateway.program import run, set_up_log
from penstock.subjects.config import Config
from penstock.subjects.errors import PenstockError


def main() -> int:
    """Run a gateway with the settings of the environment; the exit status."""
    try:
        config = Config.from_env()
    except PenstockError as error:
        print(f"penstock.gateway: {error.message}\n{error.remedy}", file=sys.stderr)
        return 2
    set_up_log(config.log_level)
    uvloop.run(run(config))
    return 0


if __name__ == "__main__":
    sys.exit(main())
