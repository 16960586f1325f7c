"""Merging by a query: inputs are tables `input1`, `input2`, … of a database in memory.

SQLite runs the query. It may only read: everything else (files, settings, extensions) is refused
by an authorizer, and a query that works too long is stopped, so the text of a user can neither
reach outside nor stall its partition. Objects and arrays travel through the database as marked
JSON text and come back as what they were. A column that no item has is null, not an error.
"""

import re
import sqlite3
from collections.abc import Iterable
from typing import Any

import msgspec

from penstock.sdk.call import Call, NodeError
from penstock.subjects.messages import Item
from penstock.workflow.expressions.convert import to_string

_QUERY = "SELECT * FROM input1 LEFT JOIN input2 ON input1.name = input2.id"
_MARK = "\0json:"
_PAIRED = "pairedItem"
_ALLOWED = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_OPS_PER_CHECK = 10_000
_CHECKS_MAX = 500
_ROWS_MAX = 100_000
_TEXT_MAX = 32_000_000
_MISSING_MAX = 100
_COLUMNS = re.compile(r"SELECT\s+(.+?)\s+FROM", re.IGNORECASE)
_MEMBER = re.compile(r"([\w.\[\]`\"]+)\s*->\s*(\w+)")
_SAME = re.compile(r"(\bON\s+[\w.\[\]`\"]+\s*)=(\s*[\w.\[\]`\"]+)", re.IGNORECASE)
_NO_COLUMN = re.compile(r"no such column: (?:(input\d+)\.)?(.+)")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def merge_by_query(call: Call, inputs: list[list[Item]]) -> list[Item]:
    """The rows of the node's query as items."""
    query = to_string(call.param("query", 0, _QUERY))
    database = _Tables(inputs)
    try:
        if call.version > 3:
            query = _with_lineage(query, len(inputs))
        rows = database.select(_in_our_dialect(query))
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise NodeError("Issue while executing query", description=str(error)) from error
    finally:
        database.close()
    items = [_item(row) for row in rows]
    if call.version <= 3:
        everything = [
            {"item": position, "input": number}
            for number, one in enumerate(inputs)
            for position in range(len(one))
        ]
        items = [{"json": item["json"], _PAIRED: everything} for item in items]
    if not items and _tells_success(call):
        items = [{"json": {"success": True}}]
    return items


def _tells_success(call: Call) -> bool:
    default = "empty" if call.version >= 3.2 else "success"
    return bool(call.option("options.emptyQueryResult", 0, default) == "success")


def _in_our_dialect(query: str) -> str:
    """`a->b` reads a field of an object, and what is missing on both sides joins, as in AlaSQL."""
    return _SAME.sub(r"\1 IS \2", _MEMBER.sub(r"member(\1, '\2')", query))


def _with_lineage(query: str, count: int) -> str:
    """The query with the origin of each row among its columns, where it lists them in a line."""
    found = _COLUMNS.search(query)
    if found is None or found[1].strip() == "*":
        return query
    origins = [
        f"input{n}.{_PAIRED} AS {_PAIRED}{n}" for n in range(1, count + 1) if f"input{n}" in query
    ]
    columns = ", ".join([found[1].strip(), *origins])
    return f"{query[: found.start()]}SELECT {columns} FROM{query[found.end() :]}"


def _item(row: dict[str, Any]) -> Item:
    json = {name: value for name, value in row.items() if not name.startswith(_PAIRED)}
    paired = [
        value for name, value in row.items() if name.startswith(_PAIRED) and value is not None
    ]
    return {"json": json, _PAIRED: paired}


class _Tables:
    """The database with one table per input."""

    def __init__(self, inputs: list[list[Item]]) -> None:
        self._checks = 0
        self._connection = sqlite3.connect(":memory:")
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _TEXT_MAX)
        self._connection.create_function("if", 3, lambda test, a, b: a if test else b)
        self._connection.create_function("member", 2, _member)
        self._nulls: set[str] = set()
        self._bools: dict[str, bool] = {}
        for number, items in enumerate(inputs, 1):
            self._fill(f"input{number}", items)

    def close(self) -> None:
        """Forget everything."""
        self._connection.close()

    def _fill(self, table: str, items: list[Item]) -> None:
        columns: dict[str, None] = {_PAIRED: None}
        for item in items:
            columns.update(dict.fromkeys(item["json"]))
            self._note(item["json"])
        if len({name.lower() for name in columns}) < len(columns):
            raise NodeError(f"Fields of {table} differ only in upper and lower case")
        names = ", ".join(map(_quoted, columns))
        self._connection.execute(f"CREATE TABLE {table} ({names})")
        marks = ", ".join("?" * len(columns))
        rows = ({**item["json"], _PAIRED: item.get(_PAIRED)} for item in items)
        self._connection.executemany(
            f"INSERT INTO {table} VALUES ({marks})",
            ([_stored(row.get(name)) for name in columns] for row in rows),
        )

    def _note(self, json: dict[str, Any]) -> None:
        """Remember what SQLite has no types for: nulls, and columns of true and false only."""
        for name, value in json.items():
            if value is None:
                self._nulls.add(name)
            else:
                self._bools[name] = self._bools.get(name, True) and isinstance(value, bool)

    def select(self, query: str) -> Iterable[dict[str, Any]]:
        """The rows of a query, which may only read."""
        for _ in range(_MISSING_MAX):
            try:
                return self._select(query)
            except sqlite3.OperationalError as error:
                missing = _NO_COLUMN.fullmatch(str(error))
                if missing is None:
                    raise
                self._add_column(missing[1] or "input1", missing[2])
        raise NodeError("The query names too many columns that no item has")

    def _add_column(self, table: str, name: str) -> None:
        self._connection.set_authorizer(None)
        self._connection.execute(f"ALTER TABLE {table} ADD COLUMN {_quoted(name)}")

    def _select(self, query: str) -> list[dict[str, Any]]:
        self._connection.set_authorizer(_authorize)
        self._connection.set_progress_handler(self._is_over, _OPS_PER_CHECK)
        cursor = self._connection.execute(query)
        names = [column[0] for column in cursor.description or ()]
        return [self._row(names, values) for values in cursor.fetchmany(_ROWS_MAX)]

    def _is_over(self) -> bool:
        self._checks += 1
        return self._checks > _CHECKS_MAX

    def _row(self, names: list[str], values: tuple[Any, ...]) -> dict[str, Any]:
        """A row as an object: of columns with one name the last counts that is not null."""
        row: dict[str, Any] = {}
        for name, value in zip(names, values, strict=True):
            if value is not None:
                row[name] = self._loaded(name, value)
            elif name in self._nulls:
                row.setdefault(name, None)
        return row

    def _loaded(self, name: str, value: Any) -> Any:
        if isinstance(value, str) and value.startswith(_MARK):
            return _decode(value[len(_MARK) :])
        return bool(value) if self._bools.get(name) and value in (0, 1) else value


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    is_loading = second is not None and second.lower() == "load_extension"
    allowed = action in _ALLOWED and not is_loading
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _member(value: Any, name: str) -> Any:
    is_object = isinstance(value, str) and value.startswith(_MARK)
    data = _decode(value[len(_MARK) :]) if is_object else None
    return _stored(data.get(name)) if isinstance(data, dict) else None


def _stored(value: Any) -> Any:
    if isinstance(value, dict | list) or (isinstance(value, str) and value.startswith(_MARK)):
        return _MARK + _encode(value).decode()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)
    return value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace("\0", "") + '"'
