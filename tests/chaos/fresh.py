"""Row 25: a fresh installation is closed. No account by default, loopback only, keys private."""

import stat
from collections.abc import Iterator
from pathlib import Path

from penstock.cli.api import Api
from tests.chaos.figures import Drawn, Figure
from tests.chaos.kills import installation
from tests.listeners import listeners
from tests.up import Up

GUESSES = ("", "admin", "password", "penstock", "owner", "changeme", "secret", "default")
ROUTES = ("/workflows", "/executions", "/status")


def fresh_drill(n: int, seed: int) -> list[Figure]:
    """`n` fresh installations."""
    drawn = Drawn(25, n, seed)
    outside: list[str] = []
    readable: list[str] = []
    opened: list[str] = []
    tokens: list[str] = []
    for _ in range(n):
        with installation() as up:
            outside += _listens_outside(up)
            readable += _readable_by_others(up.data)
            opened += _opened_by_guessing(up)
            tokens.append(up.token)
    alike = [token for token in tokens if tokens.count(token) > 1 or len(token) < 32]
    return [
        drawn.none_of("listening beyond loopback", outside),
        drawn.none_of("secrets that others can read", readable),
        drawn.none_of("routes opened by no token or a guessed one", opened),
        drawn.none_of("tokens that are short or the same twice", alike),
    ]


def _listens_outside(up: Up) -> Iterator[str]:
    for program, address, port in listeners(up.process.pid):
        if address not in ("127.0.0.1", "::1"):
            yield f"{program} on {address}:{port}"


def _readable_by_others(data: Path) -> Iterator[str]:
    secrets = ("owner-token", "secrets.json", "resume-keys", "nats/server.conf")
    for file in (data, *(data / name for name in secrets)):
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            yield file.name


def _opened_by_guessing(up: Up) -> Iterator[str]:
    for guess in GUESSES:
        for route in ROUTES:
            status, _, _ = Api(up.url, guess).call("GET", f"/api/v1{route}", has_token=bool(guess))
            if status != 401:
                yield f"{route} with {guess!r}: {status}"
