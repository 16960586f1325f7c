"""Realms that serve one program run after run, where a fresh one would be no different.

A fresh realm costs a quarter of a millisecond, most of what a small program costs. It is needed
because a run could change what the next one finds. In a kept realm it cannot:

- Everything that was there before the user's code is frozen (`prelude/harden.js`), so nothing can
  be put where another run finds it. New global names are the only thing that a run can leave; they
  are looked for after each run, as are jobs of the engine, and a realm with either is thrown away.
- The user's text is compiled once, as a function that makes a function (`realm_source`), and what
  is called is made for each run, so whatever it closes over is new. A text that closes brackets
  that are not its own never gets that far (`realm.define`).
- Data comes in as text and is parsed for each run. Our own code hands out no object and no function
  that outlives the run; `tests/security/test_kept_realms.py` looks for any.

That keeps runs apart, whatever the code does. That it also means the same is another matter: code
that changes built-ins finds that it cannot. So only `tame` programs are kept, and only for inputs
without the words by which data gets at built-ins; the others have fresh realms. A run that fails
counts for nothing, and is done again in a fresh realm. One that takes long gains nothing from all
this and could leave much garbage: its realm is not kept.
"""

import time
from dataclasses import dataclass
from typing import Any

from penstock.sandbox_host.bridge_values import clock_offset_ms
from penstock.sandbox_host.realm import Realm
from penstock.sandbox_host.tame import is_tame, names_built_ins
from penstock.sdk.call import Call
from penstock.sdk.user_code import Fault, Program

REALMS_MAX = 4
RUNS_BEFORE = 20
"""Hardening a realm takes as long as twenty fresh ones: only what runs often is worth it."""
_STRIKES_MAX = 8
_LONG_S = 0.01


@dataclass(slots=True)
class _Record:
    """What is known of a program. `strikes` counts runs that failed or left something behind."""

    program: Program
    realm: Realm | None = None
    runs: int = 0
    strikes: int = 0


class KeptRealms:
    """The realms of one worker. A program gets one after `runs_before` runs."""

    def __init__(self, runs_before: int = RUNS_BEFORE) -> None:
        self._runs_before = runs_before
        self._records: dict[Program, _Record] = {}

    @property
    def realms(self) -> int:
        """How many are kept now."""
        return sum(record.realm is not None for record in self._records.values())

    def run(self, call: Call, program: Program) -> list[Any] | None:
        """The values of a run, or `None`: it needs a fresh realm, and nothing has happened."""
        record = self._records.get(program)
        if record is None:
            record = self._records[program] = _Record(program)
            if not is_tame(program.source, program.mode):
                record.strikes = _STRIKES_MAX
        record.runs += 1
        if record.strikes >= _STRIKES_MAX or record.runs <= self._runs_before:
            return None
        if "Date" in program.source and clock_offset_ms(call):
            return None
        realm = self._realm_of(record, call)
        return None if realm is None else self._run_in(realm, record, call)

    def _realm_of(self, record: _Record, call: Call) -> Realm | None:
        """The program's realm, ready for `call`. It is put back when the run has ended well."""
        realm, record.realm = record.realm, None
        if realm is not None:
            realm.take(call)
            return realm
        kept = [each for each in self._records.values() if each.realm is not None]
        if len(kept) >= REALMS_MAX:
            min(kept, key=lambda each: each.runs).realm = None
        program = record.program
        realm = Realm(call, program.mode, program.source)
        if realm.define(program.source, is_async=False, is_kept=True) is None:
            return realm
        record.strikes = _STRIKES_MAX
        return None

    def _run_in(self, realm: Realm, record: _Record, call: Call) -> list[Any] | None:
        if names_built_ins(realm.given):
            record.realm = realm
            return None
        logs = len(call.logs)
        started_s = time.thread_time()
        values = [realm.evaluate(index) for index in record.program.runs(call)]
        took_s = time.thread_time() - started_s
        if any(isinstance(value, Fault) for value in values):
            del call.logs[logs:]
            record.strikes += 1
            return None
        if not realm.is_pristine:
            record.strikes += 1
        elif took_s < _LONG_S:
            record.realm = realm
        return values
