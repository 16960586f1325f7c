"""Logs: whatever a program has to say is a line of JSON."""

import json
import subprocess
import sys

PROGRAM = """
import asyncio
from penstock.subjects import logs

logs.configure("info", program="odd")

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
