"""Whether an installation that runs does answer: its gateway, and every broker.

A program that stands still holds its port: it is called in vain, and its supervisor sees nothing.
So each is asked something, and has `ANSWER_S` to answer.
"""

import argparse
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from penstock.cli.arguments import ANSWER_S, api_of
from penstock.cli.findings import Finding
from penstock.subjects.errors import PenstockError
from penstock.supervisor.data_dir import DataDir

_REMEDY = "see `penstock status` and DIR/logs; stop `penstock up` and start it again"


@dataclass(frozen=True, slots=True)
class Running:
    """What the `up` that runs on a data directory answers; nothing where none runs."""

    programs: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def look(data: Path) -> Running:
    """Ask whoever runs on this directory."""
    if not data.is_dir() or not DataDir(data).is_locked:
        return Running()
    if not (data / "address").exists():
        what = "a `penstock up` runs on this data directory and is not ready"
        return Running([], [Finding("weak", what, "wait until it is; see DIR/logs")])
    good = Finding("good", "a `penstock up` runs on this data directory")
    return _asked(data, [good, *_brokers(data)])


def _asked(data: Path, findings: list[Finding]) -> Running:
    options = argparse.Namespace(url="", token="", data=data)
    try:
        programs = api_of(options, is_here=True, timeout_s=ANSWER_S).get("/status")["programs"]
    except PenstockError as error:
        return Running([], [*findings, Finding("bad", f"gateway: {error.message}", _REMEDY)])
    findings = [*findings, Finding("good", "the gateway answers"), *_problems(programs)]
    return Running(programs, findings)


def _problems(programs: list[dict[str, Any]]) -> Iterator[Finding]:
    """What programs tell of themselves; of sandbox hosts see `isolation`."""
    for program in programs:
        for problem in program.get("problems") or []:
            if not program.get("isolation"):
                yield Finding("bad", f"{program['kind']}: {problem}", "see DIR/logs")


def _brokers(data: Path) -> Iterator[Finding]:
    urls = (data / "run" / "nats-url").read_text().strip().split(",")
    for url in urls:
        try:
            _greet(url)
        except OSError as error:
            yield Finding("bad", f"broker: {url} does not answer: {error}", _REMEDY)
        else:
            yield Finding("good", f"the broker at {url} answers")


def _greet(url: str) -> None:
    """A broker speaks first. `OSError` when it does not."""
    at = urlsplit(url)
    with socket.create_connection((at.hostname, at.port), timeout=ANSWER_S) as connection:
        if not connection.recv(4).startswith(b"I"):
            raise OSError("it does not greet")
