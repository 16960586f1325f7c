"""The tracked files of the project, parsed once for the tidy tests."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE_FOLDERS = ("subjects", "sdk", "supervisor", "actors", "sandbox_host", "gateway")


@cache
def tracked() -> list[Path]:
    """Every file that git tracks, or every file when there is no checkout (an sdist)."""
    listing = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode != 0:
        return [p for p in ROOT.rglob("*") if p.is_file() and ".venv" not in p.parts]
    return [path for name in listing.stdout.splitlines() if (path := ROOT / name).is_file()]


@cache
def sources() -> list[Path]:
    """Every Python file, tests included."""
    return [p for p in tracked() if p.suffix == ".py"]


@cache
def modules() -> list[Path]:
    """The product's Python modules."""
    return [p for p in sources() if p.relative_to(ROOT).parts[0] in CODE_FOLDERS]


@cache
def parsed(path: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(path.read_text())


def name_of(path: Path) -> str:
    """A path relative to the project's root, with slashes."""
    return path.relative_to(ROOT).as_posix()
