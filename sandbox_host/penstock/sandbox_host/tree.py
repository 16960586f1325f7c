"""What a worker may see of the file system: an explicit list, found on this machine.

Python's library, our own packages below the host layer, the few third-party packages that they
need, the shared libraries of the system, and nothing else: no home, no data, no configuration.
Paths inside are the same as outside, so nothing has to be rewritten.
"""

import importlib.util
import os
import sys
import sysconfig
from pathlib import Path

_OURS = (
    "penstock.subjects",
    "penstock.workflow",
    "penstock.sdk",
    "penstock.nodes",
    "penstock.sandbox_host",
)
_THIRD_PARTY = (
    "msgspec",
    "_quickjs",
    "tree_sitter",
    "tree_sitter_javascript",
    "jmespath",
    "regex",
    "tzdata",
    "cronsim",
    "typing_extensions",
)
_SYSTEM = ("/etc/ld.so.cache", "/usr/share/zoneinfo", "/etc/localtime")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random", "/dev/full")


def python_executable() -> str:
    """The interpreter itself, not a virtual environment's link to it."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def import_paths() -> list[str]:
    """`sys.path` of a worker: the library, then the folders that hold the allowed packages."""
    library = _library()
    dynload = [str(Path(each) / "lib-dynload") for each in library]
    homes = [_home(name) for name in (*_OURS, *_THIRD_PARTY)]
    return list(dict.fromkeys([*library, *dynload, *(home for home in homes if home)]))


def read_only_paths() -> list[str]:
    """Everything that is bound read-only into a worker's root."""
    paths = [python_executable(), *_library(), *_shared_libraries(), *_SYSTEM]
    paths += [place for name in (*_OURS, *_THIRD_PARTY) if (place := _place(name))]
    existing = [path for path in dict.fromkeys(paths) if os.path.exists(path)]  # noqa: PTH110
    return [
        path
        for path in existing
        if not any(path.startswith(f"{other}/") for other in existing if other != path)
    ]


def hidden_paths() -> list[str]:
    """Folders inside of the bound ones that hold other people's packages: covered up."""
    inside = [Path(each) / name for each in _library() for name in ("site-packages", "test")]
    return [str(path) for path in inside if path.is_dir()]


def links() -> list[tuple[str, str]]:
    """Top-level symbolic links (`/lib` to `usr/lib`) that the loader goes through."""
    tops = ("/lib", "/lib64", "/lib32")
    return [(top, os.readlink(top)) for top in tops if Path(top).is_symlink()]  # noqa: PTH115


def _library() -> list[str]:
    """The standard library of the interpreter itself; never a virtual environment's folder."""
    base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    found = [sysconfig.get_path(name, vars=base) for name in ("stdlib", "platstdlib")]
    return list(dict.fromkeys(found))


def _place(name: str) -> str:
    """The folder of a package or the file of a module; empty when it is not installed."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        return ""
    if spec.submodule_search_locations:
        return str(next(iter(spec.submodule_search_locations)))
    return spec.origin or ""


def _home(name: str) -> str:
    """The `sys.path` entry under which `name` is found."""
    place = _place(name)
    return str(Path(place).parents[name.count(".")]) if place else ""


def _shared_libraries() -> list[str]:
    """The system's library folders, and the interpreter's own libraries one by one."""
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        return ["/usr/lib"]
    mapped = {line.rpartition(" ")[2] for line in maps.splitlines() if ".so" in line}
    found = set()
    for path in mapped:
        if path.startswith(("/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/")):
            found.add(str(Path(path).parent))
        elif path.startswith(f"{sys.base_prefix}/") and Path(path).name.startswith("libpython"):
            found.add(path)
    return sorted(folder for folder in found if "/python3" not in folder)
