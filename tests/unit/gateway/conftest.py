"""Lets tests of the gateway be `async def`, with a gateway of their own as `gw`."""

import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest

from tests.unit.gateway.harness import gateway


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted: dict[str, Any] = {
        name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames
    }

    async def run() -> None:
        if "gw" in wanted:
            async with gateway(wanted["gw"]) as gw:
                await pyfuncitem.obj(**(wanted | {"gw": gw}))
        else:
            await pyfuncitem.obj(**wanted)

    asyncio.run(asyncio.wait_for(run(), 60))
    return True


@pytest.fixture
def gw(tmp_path: Path) -> Path:
    """The directory of the gateway that the test is given in this fixture's place."""
    return tmp_path
