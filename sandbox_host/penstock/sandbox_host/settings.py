"""What a host tells its zygote: the surroundings and the limits of workers."""

import os

import msgspec

from penstock.sandbox_host import tree

MIB = 1 << 20
SCRATCH = "/scratch"
"""Where a worker may write."""
PIDNS = 4
"""The descriptor of a zygote's own pid namespace, to which it returns after each fork."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker may use. `data` is heap, `address` all of its address space."""

    data_bytes: int = 384 * MIB
    address_bytes: int = 768 * MIB
    file_bytes: int = 16 * MIB
    scratch_bytes: int = 32 * MIB
    open_files: int = 64
    threads: int = 64
    cpu_s: int = 3_600


class Filters(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Seccomp programs: for a worker that is alone among processes, and for one that is not."""

    own: bytes
    shared: bytes


class ZygoteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Sent to a zygote as its first message. `filter` is the compiled seccomp program."""

    import_paths: list[str]
    read_only: list[str]
    hidden: list[str]
    links: list[tuple[str, str]]
    devices: list[str]
    filters: Filters | None
    uid: int
    limits: Limits = Limits()

    @classmethod
    def of_this_machine(
        cls, *, filter_program: Filters | None, uid: int, limits: Limits
    ) -> "ZygoteSettings":
        """The settings for the interpreter and packages that this process runs on."""
        return cls(
            import_paths=tree.import_paths(),
            read_only=tree.read_only_paths(),
            hidden=tree.hidden_paths(),
            links=tree.links(),
            devices=list(tree.DEVICES),
            filters=filter_program,
            uid=uid,
            limits=limits,
        )


class Up(msgspec.Struct, array_like=True, tag="up", gc=False):
    """The zygote is ready. `layers` are active; `missing` says why each other one is not."""

    layers: list[str]
    missing: dict[str, str]


class Spawned(msgspec.Struct, array_like=True, tag="spawned", gc=False):
    """A worker process exists; its pidfd comes with this message."""

    slot: int


class Exited(msgspec.Struct, array_like=True, tag="exited", gc=False):
    """A worker process ended with this wait status."""

    slot: int
    status: int


FromZygote = Up | Spawned | Exited


def worker_uid() -> int:
    """A uid of this host's own when it runs as root, else the user's."""
    own = os.getuid()
    return own or 100_000 + os.getpid() % 50_000
