"""What a program has no business with stays out of it: every import costs memory and start time."""

import subprocess
import sys

import pytest

OF_NO_PROGRAM = {"aiohttp"}
OF_NO_OTHER = {
    "penstock.gateway.__main__": set[str](),
    "penstock.actors.program": set[str](),
    "penstock.actors.projector.__main__": set[str](),
    "penstock.cli.up": set[str](),
}


@pytest.mark.parametrize("program", OF_NO_OTHER)
def test_a_program_imports_nothing_that_it_has_no_business_with(program: str) -> None:
    code = f"import sys, {program}; print(*sys.modules)"

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    imported = set(ended.stdout.split())
    assert program in imported
    assert imported & (OF_NO_PROGRAM | OF_NO_OTHER[program]) == set()
