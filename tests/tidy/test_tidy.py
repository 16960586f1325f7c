"""The house rules that no linter knows: sizes with ratchets, words, packaging, links."""

import ast
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from tests.tidy.tree import CODE_FOLDERS, ROOT, modules, name_of, parsed, sources, tracked

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
BANNED_NAMES = {"manager", "helper", "helpers", "utils", "common", "base", "misc"}
RUNS_USER_CODE = "sandbox_host/penstock/sandbox_host/python.py"
RATCHET = tomllib.loads((ROOT / "tests/tidy/ratchet.toml").read_text())
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def function_lengths() -> dict[str, int]:
    lengths: dict[str, int] = {}
    for path in modules():
        for node in ast.walk(parsed(path)):
            if isinstance(node, FunctionNode):
                key = f"{name_of(path)}::{node.name}"
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                lengths[key] = max(length, lengths.get(key, 0))
    return lengths


def over(sizes: dict[str, int], ceiling: int, allowed: dict[str, int]) -> list[str]:
    return [
        f"{name}: {size} lines, at most {allowed.get(name, ceiling)}"
        for name, size in sorted(sizes.items())
        if size > allowed.get(name, ceiling)
    ]


def stale(sizes: dict[str, int], ceiling: int, allowed: dict[str, int]) -> list[str]:
    return [
        f"{name}: {sizes.get(name, 0)} lines, the ratchet still allows {limit}"
        for name, limit in sorted(allowed.items())
        if sizes.get(name, 0) < limit or limit <= ceiling
    ]


def test_modules_stay_under_the_ceiling_and_the_ratchet_only_shrinks() -> None:
    sizes = {name_of(path): len(path.read_text().splitlines()) for path in sources()}

    assert over(sizes, MODULE_LINES_MAX, RATCHET["modules"]) == []
    assert stale(sizes, MODULE_LINES_MAX, RATCHET["modules"]) == []


def test_functions_stay_under_the_ceiling_and_the_ratchet_only_shrinks() -> None:
    sizes = function_lengths()

    assert over(sizes, FUNCTION_LINES_MAX, RATCHET["functions"]) == []
    assert stale(sizes, FUNCTION_LINES_MAX, RATCHET["functions"]) == []


def test_the_namespace_package_has_no_init_file() -> None:
    stray = [name_of(path) for path in tracked() if path.parts[-2:] == ("penstock", "__init__.py")]

    assert stray == []


def test_every_module_opens_with_its_purpose() -> None:
    silent = [name_of(path) for path in modules() if not ast.get_docstring(parsed(path))]

    assert silent == []


def test_no_module_or_class_hides_behind_an_empty_word() -> None:
    found = []
    for path in modules():
        names = [
            path.stem,
            *(n.name for n in ast.walk(parsed(path)) if isinstance(n, ast.ClassDef)),
        ]
        for name in names:
            words = {w.lower() for w in re.findall(r"[A-Z]?[a-z0-9]+", name)}
            if words & BANNED_NAMES:
                found.append(f"{name_of(path)}: {name}")

    assert found == []


def test_text_from_users_is_never_evaluated_outside_the_sandbox_worker() -> None:
    calls = []
    for path in modules():
        for node in ast.walk(parsed(path)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"eval", "exec"}
                and name_of(path) != RUNS_USER_CODE
            ):
                calls.append(f"{name_of(path)}:{node.lineno}")

    assert calls == []


def test_nothing_waits_in_a_way_that_may_swallow_a_cancellation() -> None:
    # `asyncio.wait_for` does, before Python 3.12, when what it waits for comes at the same moment:
    # the task then goes on for ever. `asyncio.timeout` does not.
    calls = [
        f"{name_of(path)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "asyncio.wait_for"
    ]

    assert calls == []


@pytest.mark.parametrize("folder", [*CODE_FOLDERS, "deploy", "tests"])
def test_every_top_level_folder_says_what_it_is(folder: str) -> None:
    assert (ROOT / folder / "README.md").is_file()


def test_every_dependency_has_its_reason_written_down() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    reasons = (ROOT / "docs/dependencies.md").read_text()

    names = [re.split(r"[\[<>=;! ]", spec, maxsplit=1)[0] for spec in wanted]

    assert [name for name in names if f"`{name}`" not in reasons] == []


def test_links_in_documents_lead_somewhere() -> None:
    broken = []
    for path in tracked():
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text()):
            if "://" not in target and not (path.parent / target).exists():
                broken.append(f"{name_of(path)}: {target}")

    assert broken == []


def test_files_named_in_guarantees_and_tour_exist() -> None:
    missing = []
    for page in ("docs/guarantees.md", "docs/tour.md"):
        text = (ROOT / page).read_text()
        for name in re.findall(r"`((?:tests|docs|deploy|[a-z_]+/penstock)/[\w./-]+)`", text):
            if not (ROOT / name).exists():
                missing.append(f"{page}: {name}")

    assert missing == []


def test_bare_file_names_in_the_tour_stand_in_a_folder_that_was_named_before() -> None:
    folders: set[Path] = set()
    missing = []
    for name in re.findall(r"`([\w/.-]+\.py)`", (ROOT / "docs/tour.md").read_text()):
        if "/" in name:
            folders.add((ROOT / name).parent)
        elif not any((folder / name).exists() for folder in folders):
            missing.append(name)

    assert missing == []


def exists(dotted: str) -> bool:
    """Whether `penstock.<dotted>` is a module, or a name in one."""
    parts = ["penstock", *dotted.split(".")]
    for length in range(len(parts), 1, -1):
        try:
            found: object = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        return all((found := getattr(found, name, None)) is not None for name in parts[length:])
    return False


def test_types_named_in_the_vocabulary_exist() -> None:
    rows = [line.split("|") for line in (ROOT / "docs/vocabulary.md").read_text().splitlines()]
    columns = [cells[3] for cells in rows if len(cells) == 5]

    named = [name for cell in columns for name in re.findall(r"`(\w+(?:\.\w+)+)`", cell)]

    assert len(named) > 20
    assert [name for name in named if not exists(name) and not name.startswith("Step.")] == []


def test_folders_named_in_the_tests_readme_exist_with_tests() -> None:
    named = re.findall(r"^\| `(\w+)` \|", (ROOT / "tests/README.md").read_text(), re.MULTILINE)

    assert len(named) > 10
    assert [name for name in named if not list((ROOT / "tests" / name).rglob("*.py"))] == []
    others = {path.parent.name for path in (ROOT / "tests").glob("*/*.py")} - set(named)
    assert others == set()


def test_tests_named_in_guarantees_exist() -> None:
    text = (ROOT / "docs/guarantees.md").read_text()
    named = re.findall(r"`(tests/[\w./-]+)::(\w+)`", text)

    missing = [
        f"{path}::{name}"
        for path, name in named
        if not re.search(rf"^(?:async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE)
    ]

    assert named
    assert missing == []


def test_into_an_image_goes_what_the_package_is_made_of_and_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    made_of = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}

    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if not line.startswith("#")]

    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == made_of | {
        package.partition("/")[0] for package in packages
    }


def test_nothing_of_one_machine_is_in_the_project() -> None:
    pattern = re.compile(
        r"/(?:home|root|work)/(?!\.\.\.)\w|pypi\.org|registry\.npmjs|files\.pythonhosted"
    )
    here = Path(__file__).resolve()
    found = [
        f"{name_of(path)}: {match.group()}"
        for path in tracked()
        if path.resolve() != here
        and path.suffix in {".py", ".md", ".toml", ".json", ".js", ".sql", ".yaml", ""}
        for match in [pattern.search(path.read_text(errors="ignore"))]
        if match
    ]

    assert found == []
