"""What a program has no business with stays out of it: every import costs memory and start time.

A program may load more when somebody asks for it: the gateway's compiler with the first document
that is saved, the projector's with the first execution that is shown.
"""

import subprocess
import sys

import pytest

OF_NONE = {"aiohttp", "obstore", "redis", "clickhouse_driver", "opentelemetry", "rich", "pytest"}
LANGUAGE = {"penstock.workflow.compile", "penstock.workflow.expressions", "tree_sitter", "regex"}
ENGINE = {"penstock.actors.execution.core", "penstock.actors.partition"}
SERVERS = {"uvicorn", "starlette", "psutil"}
NOT_OF = {
    "penstock.gateway.__main__": LANGUAGE | ENGINE | {"psycopg", "prometheus_client", "psutil"},
    "penstock.actors.program": SERVERS | {"psycopg"},
    "penstock.actors.projector.__main__": LANGUAGE | ENGINE | SERVERS | {"cronsim"},
    "penstock.sandbox_host.program": LANGUAGE | ENGINE | SERVERS | {"psycopg"},
    "penstock.cli.up": LANGUAGE
    | ENGINE
    | {"uvicorn", "starlette", "psycopg", "nats", "http.client", "_ssl"},
}

TELLING = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
STARTED = "from penstock.cli.main import main; main(['up', '--help'])"
"""`up` as its command starts it, up to the point where it would do something."""


@pytest.mark.parametrize("program", NOT_OF)
def test_a_program_imports_nothing_that_it_has_no_business_with(program: str) -> None:
    start = STARTED if program == "penstock.cli.up" else f"import {program}"

    ended = subprocess.run(
        [sys.executable, "-c", TELLING + start], capture_output=True, text=True, check=True
    )

    imported = set(ended.stderr.split())
    assert program in imported
    assert imported & (OF_NONE | NOT_OF[program]) == set()
