"""How many bytes each table has, by kind."""

from __future__ import annotations

from collections.abc import Callable

from .files import TableFiles
from .specs import Catalog

PARTS = ("rows", "texts", "ids", "indexes", "checksums")


def table_sizes(catalog: Catalog, size: Callable[[str], int]) -> dict[str, dict[str, int]]:
    """Of each table ``files``, how many it has, and the bytes of each part, such as ``rows_bytes``.

    ``size`` tells how large a file is, 0 if there is none.
    """
    result: dict[str, dict[str, int]] = {}
    for name, spec in sorted(catalog.tables.items()):
        files = TableFiles("", name)
        parts: dict[str, list[str]] = {
            "rows": [files.rows],
            "texts": [files.text] if spec.has_text else [],
            "ids": [files.index, files.free, files.sequence],
            "indexes": [files.keyed(index.name) for index in spec.indexes],
            "checksums": [files.sums] if spec.checksums else [],
        }
        result[name] = {"files": sum(map(len, parts.values()))}
        for part in PARTS:
            result[name][f"{part}_bytes"] = sum(map(size, parts[part]))
    return result
