"""What a migration must lead to, worked out in plain dictionaries, without the database.

    ["add_column", table, column, type]      all rows get NULL; with one more argument, that value
    ["drop_column", table, column]           ["rename_column", table, column, to]
    ["change_column", table, column, type]   values stay; with "str" behind it, as texts
    ["add_index", table, [column, ...]]      ["drop_index", table, [column, ...]]
    ["add_unique", table, [column, ...]]     ["drop_unique", table, [column, ...]]
    ["set_on_delete", table, column, what]   ["rename_table", table, to]
    ["drop_table", table]

Steps that follow each other are made together, or none of them; an index is built for itself.  What
was made before a step that is refused stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from .workload import Step, more

if TYPE_CHECKING:
    from .model import Model, TableModel

Change = list[Any]
"""One step of a migration."""

BUILT = ("add_index", "add_unique")
"""The steps that take many transactions."""
CONVERTED = "str"
_TEXTS = ("char", "text")


class Key(NamedTuple):
    """An index of these columns; ``unique``: no two rows have the same values in them."""

    columns: tuple[str, ...]
    unique: bool

    def renamed(self, column: str, to: str) -> Key:
        """The same with another name for a column."""
        return Key(tuple(to if name == column else name for name in self.columns), self.unique)


class MigrationRefused(Exception):
    """The migration must fail with an error of this class name."""


def stages(model: Model, version: int, changes: list[Change]) -> Iterator[Model]:
    """The states that this migration goes through, the last one included; none if it was made.

    MigrationRefused behind those that are reached before a step that is refused.
    """
    if any(other > version for other in model.made):
        raise MigrationRefused("SchemaMismatch")
    now = model.clone()
    done = now.made.get(version, 0)
    while done < len(changes) or version not in now.made:
        now = now.clone()
        if changes[done:] and changes[done][0] in BUILT:
            together = [changes[done]]
        else:
            together = list(takewhile(lambda change: change[0] not in BUILT, changes[done:]))
        for change in together:
            _make(now, change)
        done += len(together)
        now.made[version] = done
        yield now


def _make(model: Model, change: Change) -> None:
    name, table, *arguments = change
    if table not in model.tables:
        raise MigrationRefused("MigrationError")
    _CHANGES[name](model, table, *arguments)


def _refuse_if(refused: bool) -> None:
    if refused:
        raise MigrationRefused("MigrationError")


def _has(columns: tuple[str, ...], table: TableModel) -> bool:
    return any(set(columns) & set(key.columns) for key in table.keys)


def _add_column(model: Model, name: str, column: str, kind: list[Any], value: Any = None) -> None:
    table = model.tables[name]
    _refuse_if(column in table.columns or column == "id")
    _refuse_if(not _fits(model, kind, value) and bool(table.rows))
    _refuse_if(kind[0] == "fk" and kind[1] not in model.tables)
    table.columns = {**table.columns, column: kind}
    table.rows = {pk: row | {column: value} for pk, row in table.rows.items()}


def _drop_column(model: Model, name: str, column: str) -> None:
    table = model.tables[name]
    _refuse_if(column not in table.columns or _has((column,), table))
    table.columns = {n: kind for n, kind in table.columns.items() if n != column}
    table.rows = {pk: _without(row, column) for pk, row in table.rows.items()}


def _rename_column(model: Model, name: str, column: str, to: str) -> None:
    table = model.tables[name]
    _refuse_if(column not in table.columns or to in table.columns or to == "id")
    table.columns = {to if n == column else n: kind for n, kind in table.columns.items()}
    table.keys = tuple(key.renamed(column, to) for key in table.keys)
    table.rows = {pk: _without(row, column) | {to: row[column]} for pk, row in table.rows.items()}


def _change_column(
    model: Model, name: str, column: str, kind: list[Any], convert: str = ""
) -> None:
    table = model.tables[name]
    _refuse_if(column not in table.columns or _has((column,), table))
    _refuse_if(kind[0] == "fk" and kind[1] not in model.tables)
    rows: dict[int, dict[str, Any]] = {}
    for pk, row in table.rows.items():
        value = row[column]
        if convert and value is not None:
            value = str(value)
        _refuse_if(not _fits(model, kind, value))
        rows[pk] = row | {column: value}
    table.columns = {**table.columns, column: kind}
    table.rows = rows


def _add_key(model: Model, name: str, columns: list[str], unique: bool) -> None:
    table, names = model.tables[name], tuple(columns)
    _refuse_if(not set(names) <= set(table.columns) or Key(names, unique) in table.keys)
    table.keys = (*table.keys, Key(names, unique))
    found = [tuple(row[n] for n in names) for row in table.rows.values()]
    found = [values for values in found if None not in values]
    _refuse_if(unique and len(set(found)) < len(found))


def _drop_key(model: Model, name: str, columns: list[str], unique: bool) -> None:
    table, dropped = model.tables[name], Key(tuple(columns), unique)
    _refuse_if(dropped not in table.keys)
    table.keys = tuple(key for key in table.keys if key != dropped)


def _set_on_delete(model: Model, name: str, column: str, action: str) -> None:
    table = model.tables[name]
    kind = table.columns.get(column)
    _refuse_if(kind is None or kind[0] != "fk")
    assert kind is not None
    values = [row[column] for row in table.rows.values()]
    _refuse_if(action != "keep" and not all(_fits(model, kind, value) for value in values))
    table.columns = {**table.columns, column: [*kind[:2], {**more(kind), "on_delete": action}]}


def _rename_table(model: Model, name: str, to: str) -> None:
    _refuse_if(to in model.tables)
    model.tables = {to if n == name else n: table for n, table in model.tables.items()}
    for table in model.tables.values():
        table.columns = {
            column: ["fk", to, *kind[2:]] if kind[:2] == ["fk", name] else kind
            for column, kind in table.columns.items()
        }


def _drop_table(model: Model, name: str) -> None:
    for other, table in model.tables.items():
        refers = any(kind[:2] == ["fk", name] for kind in table.columns.values())
        _refuse_if(other != name and refers)
    model.tables = {n: table for n, table in model.tables.items() if n != name}


def _without(row: Mapping[str, Any], column: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != column}


def _fits(model: Model, kind: list[Any], value: Any) -> bool:
    """Whether a column of this type may have this value."""
    if value is None:
        return True
    if kind[0] in _TEXTS:
        if not isinstance(value, str):
            return False
        return kind[0] == "text" or len(value.encode()) <= int(kind[1])
    if not isinstance(value, int):
        return False
    if kind[0] == "fk":
        return kind[1] in model.tables and value in model.tables[kind[1]].rows
    width: int = kind[1] if len(kind) > 1 and not isinstance(kind[1], dict) else len(str(value))
    return len(str(value)) <= width


_CHANGES: dict[str, Any] = {
    "add_column": _add_column,
    "drop_column": _drop_column,
    "rename_column": _rename_column,
    "change_column": _change_column,
    "add_index": lambda model, name, columns: _add_key(model, name, columns, False),
    "add_unique": lambda model, name, columns: _add_key(model, name, columns, True),
    "drop_index": lambda model, name, columns: _drop_key(model, name, columns, False),
    "drop_unique": lambda model, name, columns: _drop_key(model, name, columns, True),
    "set_on_delete": _set_on_delete,
    "rename_table": _rename_table,
    "drop_table": _drop_table,
}


def migrations_of(steps: list[Step]) -> list[Step]:
    """The migrations among these steps."""
    return [step for step in steps if step[0] == "migrate"]
