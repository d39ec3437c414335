"""``truncate``: emptying a table, and with ``cascade`` every table that refers to it.

The catalog says who refers to whom, so a table that this handle did not open counts too.
"""

from __future__ import annotations

from collections.abc import Iterable

from bazanite_wal.layer import View, WriteSet

from . import sequence
from .files import CHUNK_SIZE_BYTES, TableFiles
from .rules import Rules
from .schema import DELETED
from .specs import Catalog, TableSpec

_NULL = ord("#")


def truncate(tx: WriteSet, rules: Rules, order: Iterable[str], table: str, cascade: bool) -> None:
    """Empty the table: no rows, no freed slots, and the next automatic id is 1.

    ValueError if another table has rows that refer to it, unless ``cascade`` empties those too.
    ``order`` are the tables to look at first.
    """
    catalog, directory = rules.catalog, rules.directory
    names = list(dict.fromkeys([*order, *catalog.tables]))
    if not cascade:
        for name in names:
            files, spec = TableFiles(directory, name), catalog.tables[name]
            if name != table and _refers(tx, files, spec, table):
                raise ValueError(
                    f"Cannot truncate table '{table}': table '{name}' has referring rows. "
                    f"Use `cascade` option to truncate dependent tables."
                )
    for name in _dependents(catalog, table) if cascade else [table]:
        _empty(tx, TableFiles(directory, name), catalog.tables[name])
        if catalog.tables[name].indexes:
            rules.table(name).keys.clear(tx)


def _dependents(catalog: Catalog, table: str) -> list[str]:
    """The table and all that refer to it, directly or not."""
    result = [table]
    for target in result:
        for name, spec in catalog.tables.items():
            if name not in result and spec.references(target):
                result.append(name)
    return result


def _empty(tx: WriteSet, files: TableFiles, spec: TableSpec) -> None:
    for name in spec.files(files.directory, files.table):
        if name != files.sequence and tx.size(name):
            tx.truncate(name, 0)
    sequence.write(tx, files, 0)


def _refers(view: View, files: TableFiles, spec: TableSpec, target: str) -> bool:
    """Whether a live row has a value in a column that refers to ``target``."""
    columns = [offset for offset, _ in spec.references(target)]
    if not columns:
        return False
    row_size = spec.row_size
    step = max(1, CHUNK_SIZE_BYTES // row_size) * row_size
    size = view.size(files.rows)
    for start in range(0, size, step):
        data = view.read(files.rows, start, min(step, size - start))
        firsts = data[::row_size]
        for offset in columns:
            column = data[offset::row_size]
            if any(f != DELETED and c != _NULL for f, c in zip(firsts, column, strict=False)):
                return True
    return False
