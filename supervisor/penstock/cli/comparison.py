"""Comparing what an execution did with what was expected: every difference, with its place.

Objects must have the same keys (one that is missing on both sides is fine, `undefined` does not
exist in JSON), lists the same length, numbers the same value whether whole or not. `true` is not
1. Of errors only the message counts.
"""

import re
from typing import Any

DIFFERENCES_MAX = 20


def differences(expected: dict[str, Any], actual: dict[str, Any]) -> list[str]:
    """What differs between a row's `expected` and a history, at most `DIFFERENCES_MAX` lines.

    `output0` (by node: the items of its only run's output 0) is compared without lineage and
    binaries; the other keys (`status`, `error`, `lastNodeExecuted`, `order`, `runs`) as they are.
    """
    found: list[str] = []
    for key, wanted in expected.items():
        if key == "output0":
            _output0(wanted, actual, found)
        elif key == "nodeData":
            continue
        else:
            _compare(key, wanted, actual.get(key), found)
    return found[:DIFFERENCES_MAX]


def _output0(wanted: dict[str, Any], actual: dict[str, Any], found: list[str]) -> None:
    for name, items in wanted.items():
        runs = actual["runs"].get(name) or []
        if len(runs) != 1:
            found.append(f"{name}: ran {len(runs)} times, expected once")
            continue
        outputs = runs[0].get("outputs") or []
        got = [_bare(item) for item in (outputs[0] if outputs else None) or ()]
        _compare(f"{name}.output0", [_bare(_wrapped(item)) for item in items], got, found)


def _wrapped(item: dict[str, Any]) -> dict[str, Any]:
    return item if "json" in item else {"json": item}


def _bare(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in ("pairedItem", "binary")}


def _compare(path: str, wanted: Any, got: Any, found: list[str]) -> None:
    if len(found) >= DIFFERENCES_MAX:
        return
    if isinstance(wanted, dict) and isinstance(got, dict):
        _compare_objects(path, wanted, got, found)
    elif isinstance(wanted, list) and isinstance(got, list):
        if len(wanted) != len(got):
            found.append(
                f"{path}: {len(got)} entries, expected {len(wanted)}: {_short(got)},"
                f" expected {_short(wanted)}"
            )
        for index, (one, other) in enumerate(zip(wanted, got, strict=False)):
            _compare(f"{path}[{index}]", one, other, found)
    elif not _same(wanted, got):
        found.append(f"{path}: {_short(got)}, expected {_short(wanted)}")


def _compare_objects(
    path: str, wanted: dict[str, Any], got: dict[str, Any], found: list[str]
) -> None:
    for key in wanted.keys() | got.keys():
        here = _join(path, key)
        if key not in got:
            found.append(f"{here}: missing, expected {_short(wanted[key])}")
        elif key not in wanted:
            found.append(f"{here}: unexpected {_short(got[key])}")
        elif key != "binary" or wanted[key] is not True:  # True: there is one, whatever is in it
            _compare(here, wanted[key], got[key], found)


def _same(wanted: Any, got: Any) -> bool:
    if isinstance(wanted, bool) or isinstance(got, bool):
        return wanted is got
    return bool(wanted == got)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if re.fullmatch(r"\w+", key) else f"{path}[{key!r}]"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
