"""`python -m penstock.gateway`: see `program`."""

import logging
import sys

import uvloop

from penstock.gateway.program import run, set_up_log
from penstock.subjects.config import Config
from penstock.subjects.errors import PenstockError

log = logging.getLogger("penstock.gateway")


def main() -> int:
    """Run a gateway with the settings of the environment; the exit status."""
    try:
        config = Config.from_env()
    except PenstockError as error:
        set_up_log("error")
        return _failed(error)
    set_up_log(config.log_level)
    try:
        uvloop.run(run(config))
    except PenstockError as error:
        return _failed(error)
    return 0


def _failed(error: PenstockError) -> int:
    log.error("%s", error.message, extra={"fields": {"event": "failed", "remedy": error.remedy}})
    return 2


if __name__ == "__main__":
    sys.exit(main())
