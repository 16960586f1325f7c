"""Argument parsers that look alike, and the options by which clients find their server."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.subjects.errors import PenstockError

if TYPE_CHECKING:
    from penstock.cli.api import Api

DEFAULT_DATA = "penstock-data"
_DIGITS_MAX = 19
"""Shorter than these, a number fits wherever it is sent."""


def parser(command: str, about: str, *, examples: str) -> argparse.ArgumentParser:
    """A parser for `penstock <command>` whose help ends with examples."""
    return argparse.ArgumentParser(
        prog=f"penstock {command}",
        description=about,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def whole(least: int = 1, most: int | None = None) -> Callable[[str], int]:
    """A type of arguments: a whole number from `least`, to `most` if there is one."""
    bounds = f"{least:,}" if most is None else f"{least:,} to {most:,}"

    def read(text: str) -> int:
        is_number = text.isascii() and text.isdecimal() and len(text) < _DIGITS_MAX
        if not is_number or int(text) < least or (most is not None and int(text) > most):
            raise argparse.ArgumentTypeError(f"must be a whole number from {bounds}")
        return int(text)

    return read


def add_data(to: argparse.ArgumentParser) -> None:
    """`--data DIR`, from the environment's PENSTOCK_DATA, else ./penstock-data."""
    to.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        default=Path(os.environ.get("PENSTOCK_DATA", DEFAULT_DATA)),
        help=f"the data directory (default: $PENSTOCK_DATA or ./{DEFAULT_DATA})",
    )


def add_server(to: argparse.ArgumentParser) -> None:
    """`--url`, `--token`, `--data`: where the server is."""
    to.add_argument("--url", default="", help="the server (default: $PENSTOCK_URL)")
    to.add_argument("--token", default="", help="its owner token (default: $PENSTOCK_TOKEN)")
    add_data(to)


def api_of(options: argparse.Namespace) -> "Api":
    """The API that the options and the environment point to."""
    from penstock.cli.api import Api

    url = options.url or os.environ.get("PENSTOCK_URL", "")
    token = options.token or os.environ.get("PENSTOCK_TOKEN", "")
    if url and token:
        return Api(url, token)
    try:
        url = url or (options.data / "address").read_text().strip()
        token = token or (options.data / "owner-token").read_text().strip()
    except PermissionError:
        raise
    except OSError as error:
        if url:
            raise PenstockError(
                f"there is no token for {url}",
                remedy="set PENSTOCK_TOKEN, or give --token: it stands in DIR/owner-token there",
            ) from error
        raise PenstockError(
            f"there is no running Penstock in {options.data}",
            remedy="start it with `penstock up`, give --data, or set PENSTOCK_URL and"
            " PENSTOCK_TOKEN",
        ) from error
    return Api(url, token)
