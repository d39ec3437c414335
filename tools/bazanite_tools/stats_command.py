"""``bazanite stats DIR``: the counters of ``db.stats()``, and where the bytes are."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from bazanite.files import TableFiles
from bazanite.specs import TableSpec
from bazanite_wal.layer import View
from bazanite_wal.log import LOG_NAME

from .grid import Grid
from .looking import add_directory_arguments
from .opened import opened
from .output import FINE, print_json, size_text

_PARTS = ("rows", "texts", "ids", "indexes", "checksums")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_directory_arguments(parser)
    parser.epilog = "example: bazanite stats data --json"


def run(args: argparse.Namespace) -> int:
    """Print the log's positions and the sizes of the files."""
    with opened(args, read_only=True) as db:
        stats = db.stats()
        with db.storage.store.reading() as view:
            catalog = db.storage.catalog(view)
            sizes = {n: _sizes(view, n, spec) for n, spec in sorted(catalog.tables.items())}
        path = db.storage.base_dir
    if args.json:
        print_json({"directory": path, "stats": stats, "tables": sizes})
        return FINE
    grid = Grid(sys.stdout, ["table", *_PARTS, "all"], [False, *[True] * (len(_PARTS) + 1)])
    grid.print(_cells(name, parts) for name, parts in sizes.items())
    used, size = size_text(stats["log_used_bytes"]), size_text(stats["log_file_bytes"])
    print(f"log: {used} used of {LOG_NAME}, {size}; generation {stats['generation']}")
    positions = [f"{stats[f'{name}_lsn']:,} {name}" for name in ("end", "durable", "applied")]
    print(f"LSN: {', '.join(positions)}")
    print(f"other processes that have it open: {stats['attached_processes']}")
    return FINE


def _sizes(view: View, name: str, spec: TableSpec) -> dict[str, int]:
    files = TableFiles("", name)
    result = {
        "rows": view.size(files.rows),
        "texts": view.size(files.text) if spec.has_text else 0,
        "ids": view.size(files.index) + view.size(files.free) + view.size(files.sequence),
        "indexes": sum(view.size(files.keyed(index.name)) for index in spec.indexes),
        "checksums": view.size(files.sums) if spec.checksums else 0,
    }
    return {f"{part}_bytes": size for part, size in result.items()}


def _cells(name: str, parts: dict[str, Any]) -> list[str]:
    return [name, *(size_text(size) for size in [*parts.values(), sum(parts.values())])]
