"""Reading a document and finding everything that is wrong with it, at once.

Exports are messy: versions as text, credentials as a bare name, null where an object belongs.
What has one sensible meaning is read with it; what has none is a problem with its path, and
reading goes on without it. Nothing is ever executed or looked up to validate.

`check` never raises for any JSON value. Unknown node types are not a problem of the document:
it is stored and marked, and activation tells which nodes are missing.
"""

import math
from typing import Any

from penstock.subjects.messages import Item
from penstock.workflow.document import (
    DEPTH_MAX,
    NODES_MAX,
    Document,
    DocumentNode,
    End,
    Problem,
)

ORDERS = ("v0", "v1")
ON_ERROR = ("stopWorkflow", "continueRegularOutput", "continueErrorOutput")
OUTPUT_INDEX_MAX = 1_000


def check(raw: Any) -> tuple[Document, list[Problem]]:
    """The document as far as it can be read, and every problem found on the way."""
    reader = _Reader()
    document = reader.document(raw)
    return document, reader.problems


class _Reader:
    """Reads one document; `problems` grows on the way."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def _problem(self, path: str, message: str, remedy: str = "") -> None:
        self.problems.append(Problem(path, message, remedy))

    def document(self, raw: Any) -> Document:
        if not isinstance(raw, dict):
            self._problem("", "a workflow document is a JSON object", "give n8n's export as it is")
            return Document(name="", nodes=[], connections={})
        self._depth(raw)
        nodes = self._nodes(raw.get("nodes"))
        names = {node.name for node in nodes}
        connections, sub_nodes = self._connections(raw.get("connections"), names)
        return Document(
            name=str(raw.get("name") or ""),
            nodes=nodes,
            connections=connections,
            sub_nodes=sub_nodes,
            settings=self._settings(raw.get("settings")),
            pinned=self._pinned(raw.get("pinData")),
            penstock=self._object("penstock", raw.get("penstock")),
            raw=raw,
        )

    def _depth(self, raw: dict[str, Any]) -> None:
        level: list[Any] = [raw]
        for _ in range(DEPTH_MAX):
            level = [
                child
                for value in level
                for child in (value.values() if isinstance(value, dict) else value)
                if isinstance(child, dict | list)
            ]
            if not level:
                return
        self._problem("", f"nested deeper than {DEPTH_MAX} levels", "flatten the parameters")

    def _nodes(self, raw: Any) -> list[DocumentNode]:
        if not isinstance(raw, list):
            self._problem("nodes", "must be a list of nodes", "give n8n's export as it is")
            return []
        if len(raw) > NODES_MAX:
            self._problem("nodes", f"{len(raw)} nodes, at most {NODES_MAX} are allowed")
            return []
        nodes = []
        seen: dict[str, int] = {}
        for position, entry in enumerate(raw):
            node = self._node(f"nodes[{position}]", entry)
            if node is None:
                continue
            if node.name in seen:
                self._problem(
                    f"nodes[{position}].name",
                    f"the name {node.name!r} is also that of nodes[{seen[node.name]}]",
                    "give each node its own name; connections refer to nodes by name",
                )
                continue
            seen[node.name] = position
            nodes.append(node)
        return nodes

    def _node(self, path: str, raw: Any) -> DocumentNode | None:
        if not isinstance(raw, dict):
            self._problem(path, "a node must be an object")
            return None
        name, type_name = raw.get("name"), raw.get("type")
        if not isinstance(name, str) or not name:
            self._problem(f"{path}.name", "a node needs a name")
            return None
        if not isinstance(type_name, str) or not type_name:
            self._problem(f"{path}.type", "a node needs a type", "for example n8n-nodes-base.set")
            return None
        return DocumentNode(
            id=str(raw.get("id") or name),
            name=name,
            type=type_name,
            version=self._number(f"{path}.typeVersion", raw.get("typeVersion"), 1),
            position=self._position(f"{path}.position", raw.get("position")),
            parameters=self._object(f"{path}.parameters", raw.get("parameters")),
            disabled=raw.get("disabled") is True,
            on_error=self._on_error(path, raw),
            retry_on_fail=raw.get("retryOnFail") is True,
            tries_max=self._number(f"{path}.maxTries", raw.get("maxTries"), 3),
            wait_between_tries_ms=self._number(
                f"{path}.waitBetweenTries", raw.get("waitBetweenTries"), 1_000
            ),
            execute_once=raw.get("executeOnce") is True,
            always_output=raw.get("alwaysOutputData") is True,
            webhook_id=str(raw.get("webhookId") or ""),
            credentials=self._credentials(f"{path}.credentials", raw.get("credentials")),
        )

    def _object(self, path: str, raw: Any) -> dict[str, Any]:
        if raw is None or raw == []:  # an empty PHP-style array stands for an empty object
            return {}
        if isinstance(raw, dict):
            return raw
        self._problem(path, f"must be an object, not {_kind(raw)}")
        return {}

    def _number(self, path: str, raw: Any, default: float) -> float:
        if raw is None:
            return default
        try:
            number = float(raw)
        except (TypeError, ValueError):
            number = math.nan
        if isinstance(raw, bool) or not math.isfinite(number):
            self._problem(path, f"must be a number, not {_kind(raw)}")
            return default
        return int(number) if number.is_integer() else number

    def _position(self, path: str, raw: Any) -> tuple[float, float]:
        if raw is None:
            return (0, 0)
        if isinstance(raw, dict):  # some tools write {x, y}
            raw = [raw.get("x"), raw.get("y")]
        if not isinstance(raw, list) or len(raw) < 2:
            self._problem(path, "must be [x, y]")
            return (0, 0)
        return (self._number(f"{path}[0]", raw[0], 0), self._number(f"{path}[1]", raw[1], 0))

    def _on_error(self, path: str, raw: dict[str, Any]) -> str:
        chosen = raw.get("onError")
        if chosen is None:
            return ON_ERROR[1] if raw.get("continueOnFail") is True else ON_ERROR[0]
        if chosen in ON_ERROR:
            return str(chosen)
        self._problem(f"{path}.onError", f"unknown: {chosen!r}", f"one of {', '.join(ON_ERROR)}")
        return ON_ERROR[0]

    def _credentials(self, path: str, raw: Any) -> dict[str, dict[str, str]]:
        credentials = {}
        for kind, chosen in self._object(path, raw).items():
            if isinstance(chosen, str):  # exports from before 2021 hold only the name
                credentials[kind] = {"name": chosen}
            elif isinstance(chosen, dict):
                credentials[kind] = {
                    key: str(chosen[key]) for key in ("id", "name") if chosen.get(key) is not None
                }
            elif chosen is not None:
                self._problem(f"{path}.{kind}", f"must be an object, not {_kind(chosen)}")
        return credentials

    def _connections(
        self, raw: Any, names: set[str]
    ) -> tuple[dict[str, list[list[End]]], frozenset[str]]:
        connections: dict[str, list[list[End]]] = {}
        sub_nodes = set()
        for source, kinds in self._object("connections", raw).items():
            path = f"connections[{source!r}]"
            if source not in names:
                self._missing(path, source)
                continue
            for kind, outputs in self._object(path, kinds).items():
                ends = self._outputs(f"{path}.{kind}", outputs, names)
                if kind == "main":
                    connections[source] = ends
                elif any(ends):
                    sub_nodes.add(source)
        return connections, frozenset(sub_nodes)

    def _missing(self, path: str, name: str) -> None:
        self._problem(
            path, f"there is no node named {name!r}", "remove the connection or add the node"
        )

    def _outputs(self, path: str, raw: Any, names: set[str]) -> list[list[End]]:
        if raw is None:
            return []
        if not isinstance(raw, list) or len(raw) > OUTPUT_INDEX_MAX:
            self._problem(path, f"must be a list of at most {OUTPUT_INDEX_MAX} outputs")
            return []
        outputs = []
        for output, ends in enumerate(raw):
            here = f"{path}[{output}]"
            found = [
                self._end(f"{here}[{number}]", end, names)
                for number, end in enumerate(self._ends(here, ends))
            ]
            outputs.append([end for end in found if end is not None])
        return outputs

    def _ends(self, path: str, raw: Any) -> list[Any]:
        if raw is None:
            return []
        if not isinstance(raw, list):
            self._problem(path, f"must be a list of connections, not {_kind(raw)}")
            return []
        if _is_short_end(raw):
            return [{"node": raw[0], "type": raw[1], "index": raw[2]}]
        return raw

    def _end(self, path: str, raw: Any, names: set[str]) -> End | None:
        if raw is None:
            return None
        if not isinstance(raw, dict) or not isinstance(raw.get("node"), str):
            self._problem(path, "must be an object with `node`, `type` and `index`")
            return None
        if raw["node"] not in names:
            self._missing(f"{path}.node", raw["node"])
            return None
        index = self._number(f"{path}.index", raw.get("index"), 0)
        if index not in range(OUTPUT_INDEX_MAX):
            self._problem(f"{path}.index", f"must be a whole number below {OUTPUT_INDEX_MAX}")
            return None
        return End(raw["node"], int(index))

    def _settings(self, raw: Any) -> dict[str, Any]:
        settings = self._object("settings", raw)
        order = settings.get("executionOrder")
        if order is not None and order not in ORDERS:
            self._problem(
                "settings.executionOrder", f"unknown: {order!r}", f"one of {', '.join(ORDERS)}"
            )
        self._number("settings.executionTimeout", settings.get("executionTimeout"), -1)
        zone = settings.get("timezone")
        if zone is not None and not isinstance(zone, str):
            self._problem("settings.timezone", "must be the name of a time zone", "Europe/Berlin")
        return settings

    def _pinned(self, raw: Any) -> dict[str, list[Item]]:
        pinned = {}
        for name, items in self._object("pinData", raw).items():
            entries = items if isinstance(items, list) else [items]
            pinned[name] = [_as_item(entry) for entry in entries if isinstance(entry, dict)]
            if len(pinned[name]) < len(entries) and items is not None:
                self._problem(f"pinData[{name!r}]", "must be a list of items (objects)")
        return pinned


def _as_item(entry: dict[str, Any]) -> Item:
    """A pinned entry as an item; old exports pin the bare JSON."""
    return entry if isinstance(entry.get("json"), dict) else {"json": entry}


def _is_short_end(ends: Any) -> bool:
    """Whether an output is one connection written as `["Node", "main", 0]`."""
    return (
        isinstance(ends, list)
        and len(ends) == 3
        and isinstance(ends[0], str)
        and isinstance(ends[1], str)
    )


def _kind(value: Any) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "an object",
        type(None): "null",
    }
    return names.get(type(value), type(value).__name__)
