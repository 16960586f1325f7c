"""Argument parsers that look alike, and the options by which clients find their server."""

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from penstock.subjects.errors import PenstockError

if TYPE_CHECKING:
    from penstock.cli.api import Api

DEFAULT_DATA = "penstock-data"
ANSWER_S = 5.0
"""How long a question is waited for that a server answers at once when it is well."""
PATIENCE_S = 60.0
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
    to.add_argument(
        "--token",
        default="",
        help="its owner token (default: $PENSTOCK_TOKEN, else that of DIR, for DIR's server only)",
    )
    add_data(to)


def api_of(
    options: argparse.Namespace, *, is_here: bool = False, timeout_s: float = PATIENCE_S
) -> "Api":
    """The API that the options and, unless it `is_here`, the environment point to.

    The token of a data directory opens everything there, so it goes to the address that the
    directory holds and to no other: another server is given its own token, or none.
    """
    from penstock.cli.api import Api

    env: Mapping[str, str] = {} if is_here else os.environ
    url = options.url or env.get("PENSTOCK_URL", "")
    token = options.token or env.get("PENSTOCK_TOKEN", "")
    if url and token:
        return Api(url, token, timeout_s=timeout_s)
    running = _read(options.data / "address")
    wanted = Api(url or running or _absent(options.data), token, timeout_s=timeout_s)
    if token:
        return wanted
    if not running or wanted.url != Api(running, "").url:
        held = f"the one in {options.data} is for {running} only" if running else ""
        raise _tokenless(wanted.url, held)
    if kept := _read(options.data / "owner-token"):
        return Api(wanted.url, kept, timeout_s=timeout_s)
    raise _tokenless(wanted.url, f"{options.data / 'owner-token'} is missing or empty")


def _read(file: Path) -> str:
    """What stands in a file of the data directory; empty when it is not there."""
    try:
        return file.read_text().strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _absent(data: Path) -> NoReturn:
    raise PenstockError(
        f"there is no running Penstock in {data}",
        remedy="start it with `penstock up`, give --data, or set PENSTOCK_URL and PENSTOCK_TOKEN",
    )


def _tokenless(url: str, why: str) -> PenstockError:
    return PenstockError(
        f"there is no token for {url}{f': {why}' if why else ''}",
        remedy="set PENSTOCK_TOKEN, or give --token: it stands in DIR/owner-token there",
    )
