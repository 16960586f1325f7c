"""JavaScript that people wrote: each run in a realm where no other run can have left anything.

Such a realm is a fresh one, or one that is kept for a program because nothing in it can be changed
(`kept_realms`). What fails in a kept one runs again in a fresh one: code in a sandbox worker does
nothing that could not be done again, and so errors are always told by the same kind of realm.
"""

from collections.abc import Iterator
from typing import Any

from penstock.sandbox_host.kept_realms import KeptRealms
from penstock.sandbox_host.realm import Realm
from penstock.sandbox_host.realm_source import may_wait
from penstock.sdk.call import Call
from penstock.sdk.user_code import Program


class JavaScript:
    """The engine for programs in JavaScript."""

    def __init__(self, kept: KeptRealms | None = None) -> None:
        self._kept = kept or KeptRealms()

    def run(self, call: Call, program: Program) -> Iterator[Any]:
        """See `penstock.sdk.user_code.Engine`."""
        values = self._kept.run(call, program)
        return _run_fresh(call, program) if values is None else iter(values)


def _run_fresh(call: Call, program: Program) -> Iterator[Any]:
    realm = Realm(call, program.mode, program.source)
    fault = realm.define(program.source, is_async=may_wait(program.source))
    if fault is not None:
        yield fault
        return
    for index in program.runs(call):
        yield realm.evaluate(index)
