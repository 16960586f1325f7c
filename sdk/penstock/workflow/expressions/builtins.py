"""Loads every module that fills the tables of methods and node types."""

from importlib import import_module

_MODULES = (
    "strings",
    "arrays",
    "objects",
    "collections",
    "numbers_methods",
    "regexp",
    "globals",
    "js_date",
    "date_methods",
    "date_making",
    "duration_methods",
    "extensions",
    "proxies",
    "calls",
    "functions",
    "statements",
)


def load() -> None:
    """Import the modules; each registers what it knows when it is imported."""
    for name in _MODULES:
        import_module(f"penstock.workflow.expressions.{name}")
