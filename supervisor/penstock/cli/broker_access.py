"""Where the broker is, and as whom a command may speak to it."""

import argparse
import logging
import os

from penstock.subjects.errors import PenstockError
from penstock.supervisor.data_dir import DataDir


def broker_of(options: argparse.Namespace, role: str) -> dict[str, str]:
    """Address and credentials for `NatsBus.connect`: the environment's, else those of `role` in
    the data directory."""
    # A command says itself what it could not do; that it tries again is no line of its output.
    logging.getLogger("penstock.bus").addHandler(logging.NullHandler())
    if url := os.environ.get("PENSTOCK_NATS_URL"):
        return {
            "url": url,
            "user": os.environ.get("PENSTOCK_NATS_USER", ""),
            "password": os.environ.get("PENSTOCK_NATS_PASSWORD", ""),
        }
    # The address outlives its broker: without this, a client would try it for seconds.
    if not DataDir(options.data).is_locked:
        raise _absent(options)
    try:
        url = (options.data / "run" / "nats-url").read_text().strip()
    except FileNotFoundError as error:
        raise _absent(options) from error
    password = DataDir(options.data).secrets.get(f"nats-{role}")
    if password is None:
        raise _absent(options)
    return {"url": url, "user": role, "password": password}


def _absent(options: argparse.Namespace) -> PenstockError:
    return PenstockError(
        f"there is no running Penstock in {options.data}",
        remedy="start it with `penstock up`, give --data, or set PENSTOCK_NATS_URL",
    )
