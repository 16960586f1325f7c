# Every recipe uses the project's own environment; `just setup` makes it.
bin := justfile_directory() / ".venv/bin"
export PATH := bin + ":" + env("PATH")

# List the recipes.
default:
    @just --list --unsorted

# Make the virtual environment and install everything, tools included.
setup:
    test -d .venv || python3 -m venv .venv
    .venv/bin/pip install --quiet --editable '.[dev]'

# Style, types, import rules and tidiness; seconds, no servers.
check:
    ruff check .
    ruff format --check .
    mypy
    lint-imports
    pytest -q tests/tidy

# Everything in tests/ except benchmarks; arguments go to pytest.
test *ARGS:
    pytest -q -n 2 --dist loadfile {{ARGS}}

# What a change must pass: check, then test.
verify: check test

# Benchmarks W1 to W4 against a running stack of their own; writes bench.json.
bench *ARGS:
    python -m tests.benchmarks {{ARGS}}

# Drills by row of docs/guarantees.md: `just chaos ROW=1`, `just chaos ROW=15 N=1000`, or all.
chaos *ARGS:
    python -m tests.chaos {{ARGS}}

# The actor core under the simulator: `just sim --seeds 1000`, `just sim --seed 42`.
sim *ARGS:
    python -m tests.simulation {{ARGS}}
