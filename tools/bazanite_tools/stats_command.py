"""``bazanite stats DIR``: the counters of ``db.stats()``, and where the bytes are."""

from __future__ import annotations

import argparse
import sys

from bazanite.sizes import PARTS
from bazanite_wal.log import LOG_NAME

from .grid import Grid
from .looking import add_directory_arguments
from .opened import opened
from .output import FINE, plural, print_json, size_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_directory_arguments(parser)
    parser.epilog = "example: bazanite stats data --json"


def run(args: argparse.Namespace) -> int:
    """Print the log's positions and the sizes of the files."""
    with opened(args, read_only=True) as db:
        stats = db.stats()
        path = db.storage.base_dir
    sizes = stats.pop("tables")
    if args.json:
        print_json({"directory": path, "stats": stats, "tables": sizes})
        return FINE
    grid = Grid(sys.stdout, ["table", *PARTS, "all"], [False, *[True] * (len(PARTS) + 1)])
    grid.print(_cells(name, parts) for name, parts in sizes.items())
    used, size = size_text(stats["log_used_bytes"]), size_text(stats["log_file_bytes"])
    seconds = stats["checkpoint_age_seconds"]
    age = "" if seconds is None else f", emptied {seconds:.0f} s ago"
    print(f"log: {used} used of {LOG_NAME}, {size}; generation {stats['generation']}{age}")
    if stats["archive_files"]:
        files = plural(stats["archive_files"], "file")
        print(f"archive: {size_text(stats['archive_bytes'])} in {files}")
    positions = [f"{stats[f'{name}_lsn']:,} {name}" for name in ("end", "durable", "applied")]
    print(f"LSN: {', '.join(positions)}")
    print(f"files: {size_text(stats['data_bytes'])} in {plural(stats['data_files'], 'file')}")
    print(f"other processes that have it open: {stats['attached_processes']}")
    wait = f", the first for {stats['longest_waiting_seconds']:.1f} s"
    print(f"processes that wait for the lock: {stats['waiting_processes'] or 'none'}"
          f"{wait if stats['waiting_processes'] else ''}")  # fmt: skip
    return FINE


def _cells(name: str, sizes: dict[str, int]) -> list[str]:
    parts = [sizes[f"{part}_bytes"] for part in PARTS]
    return [name, *(size_text(size) for size in [*parts, sum(parts)])]
