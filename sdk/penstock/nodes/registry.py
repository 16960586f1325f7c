"""The registry: which class serves a node type in a version.

Modules are imported when one of their types is first asked for, so that a program that runs three
kinds of nodes does not pay for thirty. Third-party packages add nodes through the entry point
group `penstock.nodes`: each entry names a module or a `Node` class. Their nodes always run in the
`process` tier, whatever they say of themselves, and never replace a built-in.
"""

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType

from penstock.sdk.node import Node

ENTRY_POINTS = "penstock.nodes"
_PREFIX = "n8n-nodes-base."

_MODULES: dict[str, tuple[str, ...]] = {
    "manualTrigger": ("triggers",),
    "start": ("triggers",),
    "errorTrigger": ("triggers",),
    "noOp": ("noop",),
    "stickyNote": ("noop",),
    "if": ("if_filter", "if_filter_v1"),
    "filter": ("if_filter", "if_filter_v1"),
    "set": ("set_fields", "set_values"),
    "switch": ("switch", "switch_v1"),
    "merge": ("merge", "merge_v1"),
    "splitInBatches": ("split_in_batches",),
    "limit": ("limit",),
    "splitOut": ("split_out",),
    "aggregate": ("aggregate",),
    "stopAndError": ("stop_and_error",),
    "wait": ("wait",),
    "executeWorkflow": ("execute_workflow",),
    "executeWorkflowTrigger": ("execute_workflow_trigger",),
    "webhook": ("webhook",),
    "respondToWebhook": ("respond_to_webhook",),
    "scheduleTrigger": ("schedule",),
    "cron": ("schedule",),
    "interval": ("schedule",),
    "code": ("code",),
    "function": ("function",),
    "functionItem": ("function_item",),
    "httpRequest": ("http_request", "http_request_v1"),
}


class Registry:
    """Node types by name and version; a `NodeTypes` for the compiler."""

    def __init__(self) -> None:
        self._types: dict[str, dict[float, Node]] = {}
        self._has_plugins = False

    def get(self, type_name: str, version: float) -> Node | None:
        """The node that serves `version` of a type, or `None` when there is none."""
        versions = self._types.get(type_name)
        if versions is None:
            versions = self._types[type_name] = self._load(type_name)
        return versions.get(version)

    def names(self) -> list[str]:
        """Every type that is served, sorted."""
        self._load_plugins()
        return sorted({_PREFIX + name for name in _MODULES} | self._types.keys())

    def versions(self, type_name: str) -> list[float]:
        """The versions in which a type is served, ascending."""
        self.get(type_name, 0)
        return sorted(self._types[type_name])

    def add(self, node_class: type[Node]) -> None:
        """Serve a node class in the versions that it names, where nobody serves them yet."""
        node = node_class()
        versions = self._types.setdefault(node.type, {})
        for version in node.versions:
            versions.setdefault(version, node)

    def _load(self, type_name: str) -> dict[float, Node]:
        found: dict[float, Node] = {}
        modules = _MODULES.get(type_name.removeprefix(_PREFIX))
        if modules is None or not type_name.startswith(_PREFIX):
            self._load_plugins()
            return self._types.get(type_name, {})
        for module in modules:
            for node_class in _classes(import_module(f"penstock.nodes.{module}")):
                if node_class.type == type_name:
                    node = node_class()
                    found.update((version, node) for version in node_class.versions)
        return found

    def _load_plugins(self) -> None:
        if self._has_plugins:
            return
        self._has_plugins = True
        for point in entry_points(group=ENTRY_POINTS):
            loaded = point.load()
            for node_class in _classes(loaded) if isinstance(loaded, ModuleType) else [loaded]:
                if node_class.type.removeprefix(_PREFIX) not in _MODULES:
                    self.add(type(node_class.__name__, (node_class,), {"tier": "process"}))


def _classes(module: ModuleType) -> Iterator[type[Node]]:
    """The node classes that a module defines."""
    for value in vars(module).values():
        is_node = isinstance(value, type) and issubclass(value, Node)
        if is_node and value.__module__ == module.__name__ and hasattr(value, "type"):
            yield value


REGISTRY = Registry()
