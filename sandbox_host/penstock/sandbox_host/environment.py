"""What a person may set for a sandbox host beside `Config`, read from the environment.

PENSTOCK_TIERS (`process,trusted`), PENSTOCK_SANDBOX (`weak` lets user code run without the minimum
of isolation), PENSTOCK_EGRESS_ALLOW (networks that nodes may reach although they are private).
Loads nothing of the host itself: `penstock up` asks `CHECKS` before it starts one.
"""

from collections.abc import Mapping

from penstock.subjects.config import Check
from penstock.subjects.errors import PenstockError

TIERS = ("process", "trusted")


def wanted_tiers(text: str) -> tuple[str, ...]:
    """The tiers in a comma list, all when it is empty; `PenstockError` for an unknown one."""
    tiers = tuple(each.strip() for each in text.split(",") if each.strip()) or TIERS
    for tier in tiers:
        if tier not in TIERS:
            raise PenstockError(
                f"PENSTOCK_TIERS names {tier!r}, which is no tier",
                remedy=f"use a comma list of {', '.join(TIERS)}",
            )
    return tiers


def is_weak(text: str) -> bool:
    """Whether user code may run with less than the minimum of isolation."""
    if text not in ("", "weak"):
        # Whoever means to strengthen something by it must not believe that it did.
        raise PenstockError(
            f"PENSTOCK_SANDBOX: there is no sandbox {text!r}",
            remedy="give weak (runs user code with less than the minimum of isolation), or leave"
            " it out",
        )
    return text == "weak"


def _check_egress(text: str) -> None:
    from penstock.sandbox_host.egress import EgressPolicy

    EgressPolicy.from_text(text)


CHECKS: Mapping[str, Check] = {
    "PENSTOCK_TIERS": wanted_tiers,
    "PENSTOCK_SANDBOX": is_weak,
    "PENSTOCK_EGRESS_ALLOW": _check_egress,
}
"""Each variable with how it is checked."""
