"""Logs: whatever a program has to say is a line of JSON."""

import json
import subprocess
import sys

PROGRAM = """
import asyncio
from penstock.subjects import logs

logs.configure(program="odd")

async def main():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0.01)
    raise LookupError("and this ends it")

asyncio.run(main())
"""


def test_faults_of_a_task_and_of_the_program_are_lines_of_its_log() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )

    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert ended.returncode == 1
    assert [line["program"] for line in lines] == ["odd", "odd"]
    assert "ZeroDivisionError" in lines[0]["error"]
    assert lines[1]["level"] == "critical" and "and this ends it" in lines[1]["error"]


def told(code: str) -> list[dict[str, object]]:
    ended = subprocess.run(
        [sys.executable, "-c", f"from penstock.subjects import logs\n{code}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [json.loads(line) for line in ended.stderr.splitlines()]


def test_turns_of_a_program_s_life_are_told_whatever_the_level() -> None:
    (line,) = told(
        "import logging; logs.configure(program='odd'); logs.set_level('error');"
        "logging.getLogger('penstock.x').info('left out'); logs.say('draining', id='a')"
    )

    assert (line["event"], line["level"], line["id"]) == ("draining", "info", "a")


def test_a_failure_is_told_with_its_remedy() -> None:
    (line,) = told(
        "from penstock.subjects.errors import PenstockError; logs.configure(program='odd');"
        "logs.failed(PenstockError('no broker', remedy='start it'))"
    )

    assert (line["event"], line["level"]) == ("failed", "error")
    assert (line["message"], line["remedy"]) == ("no broker", "start it")


def test_who_waits_on_the_descriptor_is_told_when_and_where_it_serves() -> None:
    (line,) = told(
        "import os; logs.configure(program='odd'); read, write = os.pipe();"
        "os.environ[logs.READY_FD] = str(write); logs.ready('127.0.0.1:80');"
        "assert os.read(read, 99) == b'ready 127.0.0.1:80\\n'"
    )

    assert (line["event"], line["listen"]) == ("ready", "127.0.0.1:80")


def test_whoever_has_a_log_of_its_own_takes_the_lines() -> None:
    lines = told(
        "import logging; logs.configure(program='odd', take=lambda line: logs.sys.stderr.write("
        "line + chr(10))); logging.getLogger('penstock.bus').warning('nats: %s', 'timeout')"
    )

    assert [(line["program"], line["event"]) for line in lines] == [("odd", "nats: timeout")]
