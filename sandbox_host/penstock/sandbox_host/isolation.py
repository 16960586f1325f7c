"""Which layers of isolation are active on this machine, and whether they are enough.

The report is shown by `penstock status` and `penstock doctor`. The minimum is a process of its own,
seccomp, and a file system closed off by a mount namespace or by Landlock; missing means deny.
"""

from dataclasses import dataclass, field
from typing import Any

from penstock.sandbox_host.settings import Filters

ALL_LAYERS = (
    "process",
    "namespaces",
    "root",
    "no-network",
    "no-new-privileges",
    "scratch",
    "landlock",
    "rlimits",
    "no-capabilities",
    "seccomp",
)


@dataclass(slots=True)
class Isolation:
    """What is known of the layers; `missing` has the kernel's reason where it gave one."""

    zygote: list[str] = field(default_factory=list)
    worker: list[str] | None = None
    missing: dict[str, str] = field(default_factory=dict)
    groups: str = "rlimits only"

    def set_zygote(self, layers: list[str], missing: dict[str, str]) -> None:
        self.zygote = layers
        self.missing.update(missing)

    def set_worker(self, layers: list[str]) -> None:
        self.worker = layers
        for name in ALL_LAYERS:
            if name not in self.active:
                self.missing.setdefault(name, "the kernel refused it")

    @property
    def active(self) -> list[str]:
        """Names of the active layers, outermost first."""
        have = {*self.zygote, *(self.worker or ())}
        return [name for name in ALL_LAYERS if name in have]

    def report(self) -> dict[str, Any]:
        """For people and for the heartbeat."""
        return {"active": self.active, "missing": dict(self.missing), "groups": self.groups}


def refusal(isolation: Isolation, *, allow_weak: bool) -> str:
    """Why user code may not run behind these layers; empty when it may."""
    if allow_weak:
        return ""
    active = set(isolation.active)
    if "seccomp" not in active:
        return "this machine gives no seccomp filter" + _because(isolation, "seccomp")
    if not active & {"root", "landlock"}:
        return "this machine gives neither a mount namespace nor Landlock" + _because(
            isolation, "namespaces"
        )
    return ""


def _because(isolation: Isolation, layer: str) -> str:
    reason = isolation.missing.get(layer, "")
    return f" ({reason})" if reason else ""


def compile_filter() -> tuple[Filters | None, str]:
    """The seccomp programs, or why there are none."""
    try:
        from penstock.sandbox_host.policy import build_filter

        own, shared = (build_filter(has_own_processes=has) for has in (True, False))
        return Filters(own, shared), ""
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        return None, f"{type(error).__name__}: {error}"
