"""Where a program finds its surroundings: read once from the environment, then passed down.

`penstock up` sets these for its children; containers set them in production. A program that
misses one says which and stops. What a person may set is checked by `CHECKS`, which `up` asks as
well before it starts anything: of a program that cannot start it would only see restarts.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from penstock.subjects.errors import PenstockError

DEFAULT_TIMEZONE = "America/New_York"
"""n8n's own default: what runs there without a setting must mean the same here."""

LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
_DIGITS_MAX = 6


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The surroundings of one program. URLs may hold credentials: never log them whole.

    `listen_fd`: a socket that listens already, to be served instead of `listen`
    (`socket.socket(fileno=...)`). `penstock up` holds it and hands it to its gateway, so that
    the port is there before the gateway and outlives it. `sibling_fds`: those of the other
    gateways on the same address, separated by commas; see `gateway.relief`.
    """

    nats_url: str
    nats_user: str = ""
    nats_password: str = ""
    region: str = "local"
    partitions: int = 16
    data_dir: Path = Path("data")
    broker_store: Path | None = None
    """Where the broker keeps its streams, if that is on this machine: to see its disk fill."""
    postgres_url: str = ""
    listen: str = "127.0.0.1:0"
    listen_fd: int = -1
    sibling_fds: str = ""
    public_url: str = ""
    owner_token_file: Path | None = None
    history_days: int = 30
    """How long the history of an execution that is over is kept; 0: for ever."""
    accepts_history_gap: bool = False
    """Go on with a database that lacks what the broker no longer holds."""
    accepts_journal_gap: bool = False
    """Go on with partitions whose journal lacks records."""
    drain_s: float = 7.0
    """How long a sandbox host that stops lets steps run before it gives them back."""
    timezone: str = DEFAULT_TIMEZONE
    """Of workflows that name none."""
    log_level: str = "info"

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Config":
        """Read `PENSTOCK_<FIELD>` variables; raise `PenstockError` naming every bad one."""
        raw = {
            field: env[f"PENSTOCK_{field.upper()}"]
            for field in cls.__struct_fields__
            if env.get(f"PENSTOCK_{field.upper()}")
        }
        if "nats_url" not in raw:
            raise PenstockError(
                "PENSTOCK_NATS_URL is not set",
                remedy="start this program through `penstock up`, or set the address of your NATS",
            )
        refuse_bad(CHECKS, env)
        try:
            return msgspec.convert(raw, cls, strict=False, dec_hook=_decode)
        except msgspec.ValidationError as error:
            raise PenstockError(
                f"bad setting in the environment: {error}",
                remedy="correct the PENSTOCK_… variable that it names",
            ) from error


Check = Callable[[str], object]
"""Raises a `PenstockError` that names the variable and what is allowed."""


def refuse_bad(checks: Mapping[str, Check], env: Mapping[str, str]) -> None:
    """Raise one `PenstockError` that tells every variable that is set to what it cannot be."""
    found = []
    for variable, check in checks.items():
        try:
            if text := env.get(variable):
                check(text)
        except PenstockError as error:
            found.append(error)
    if len(found) == 1:
        raise found[0]
    if found:
        raise PenstockError(
            f"{len(found)} settings of the environment are wrong",
            remedy="\n  ".join(f"{each.message}: {each.remedy}" for each in found),
        )


def check_timezone(name: str) -> str:
    """The name of a time zone as it is; `PenstockError` when there is none of that name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise PenstockError(
            f"PENSTOCK_TIMEZONE: there is no time zone {name!r}",
            remedy="give a name of the time zone database, such as Europe/Berlin",
        ) from error
    return name


def is_http_url(text: str) -> bool:
    """Whether a text is the address of something that speaks HTTP."""
    try:
        parts = urlsplit(text)
        # A port that is none raises only when it is asked for.
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _check_public_url(text: str) -> None:
    if not is_http_url(text):
        raise PenstockError(
            f"PENSTOCK_PUBLIC_URL: {text!r} is not an address",
            remedy="give http://HOST:PORT or https://HOST, as callers reach the gateway",
        )


def _check_history_days(text: str) -> None:
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX):
        raise PenstockError(
            f"PENSTOCK_HISTORY_DAYS: {text!r} is not a number of days",
            remedy="give a whole number from 0 (for ever)",
        )


def _check_log_level(text: str) -> None:
    if text.lower() not in LOG_LEVELS:
        raise PenstockError(
            f"PENSTOCK_LOG_LEVEL: there is no level {text!r}",
            remedy=f"give one of {', '.join(LOG_LEVELS)}",
        )


def _switch(variable: str) -> Check:
    def check(text: str) -> None:
        if text.lower() not in ("true", "false", "1", "0"):  # as msgspec reads them
            raise PenstockError(
                f"{variable}: {text!r} is neither yes nor no", remedy="give true or false"
            )

    return check


CHECKS: Mapping[str, Check] = {
    "PENSTOCK_TIMEZONE": check_timezone,
    "PENSTOCK_PUBLIC_URL": _check_public_url,
    "PENSTOCK_HISTORY_DAYS": _check_history_days,
    "PENSTOCK_LOG_LEVEL": _check_log_level,
    "PENSTOCK_ACCEPTS_HISTORY_GAP": _switch("PENSTOCK_ACCEPTS_HISTORY_GAP"),
    "PENSTOCK_ACCEPTS_JOURNAL_GAP": _switch("PENSTOCK_ACCEPTS_JOURNAL_GAP"),
}
"""What a person may set for every program, each with how it is checked."""


def check_postgres_url(url: str) -> str:
    """The address of a Postgres as it is; `PenstockError` when no server could have it. The text
    may hold a password, and so is not repeated."""
    import psycopg  # here, since only those who are given an address need it
    from psycopg.conninfo import conninfo_to_dict

    remedy = "give postgresql://USER:PASSWORD@HOST:PORT/DATABASE; percent-encode what is special"
    try:
        ports = str(conninfo_to_dict(url).get("port") or "").split(",")
    except psycopg.ProgrammingError:
        problem = "PENSTOCK_POSTGRES_URL is not the address of a Postgres"
        raise PenstockError(problem, remedy=remedy) from None
    if not all(port == "" or (port.isdecimal() and 0 < int(port) < 1 << 16) for port in ports):
        raise PenstockError("PENSTOCK_POSTGRES_URL: the port is none", remedy=remedy)
    return url


def _decode(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value))
    raise NotImplementedError(kind)
